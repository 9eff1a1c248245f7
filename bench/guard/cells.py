"""One cell: a guard beside a workload, from the saved state of a machine that was booted once."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from guard_folders import Guard
from images import WORK, cpio, guest, kernel, root_image, swap_image
from machine import NS_PER_INSTRUCTION, RAM_MB, Machine, Parts
from packages import say
from works import SOAK, WORKS

Result = dict[str, Any]


def prepare(guards: Sequence[Guard], options: Namespace) -> Parts:
    """Boot once, save the state; every cell starts from that saved state."""
    WORK.mkdir(parents=True, exist_ok=True)
    image, modules = kernel()
    root, key = root_image(guards)
    program = guest()
    initrd = WORK / f"initrd-{program.name}-{image.name}.cpio"
    if not initrd.exists():
        initrd.write_bytes(cpio(_first_files(program, modules)))
    cmdline = (
        "console=ttyS0 quiet loglevel=4 psi=1 panic=-1 norandmaps nokaslr mitigations=off random.trust_cpu=on swiotlb=noforce "
        f"gb.disk_ms={options.disk_ms} transparent_hugepage={options.thp}"
    )
    state_key = hashlib.sha256(f"4{key}{image}{cmdline}{options.cpus}{NS_PER_INSTRUCTION}{RAM_MB}".encode()).hexdigest()
    state = WORK / f"snap-{state_key[:16]}.state"
    parts = Parts(image, initrd, root, swap_image(), cmdline, options.cpus)
    if not state.exists():
        _save_state(parts, state)
    return replace(parts, state=state)


def _first_files(program: Path, modules: list[tuple[str, bytes]]) -> list[tuple[str, int, bytes]]:
    order = "".join(name + "\n" for name, _ in modules).encode()
    files = [("dev", 0o40755, b""), ("dev/console", 0o100600, b""), ("mods", 0o40755, b"")]
    files += [("init", 0o100755, program.read_bytes()), ("mods/order", 0o100644, order)]
    return files + [("mods/" + name, 0o100644, content) for name, content in modules]


def _save_state(parts: Parts, state: Path) -> None:
    say("booting once and saving the state")
    began = time.monotonic()
    unfinished = state.with_suffix(".tmp")
    with tempfile.TemporaryDirectory(prefix="gb") as folder:
        machine = Machine(Path(folder), parts)
        try:
            machine.command("cont")
            while machine.line(300) != "READY":
                pass
            machine.command("stop")
            machine.command("migrate", uri=f"exec:cat > {unfinished}")
            machine.wait_for_state(120)
            unfinished.rename(state)
        except (TimeoutError, EOFError, RuntimeError) as error:
            console = machine.console.read_text(errors="replace")[-2000:]
            raise SystemExit(f"guardbench: boot failed ({error!r}): {console}") from None
        finally:
            machine.close()
    say(f"booted in {time.monotonic() - began:.0f} s; saved state: {state.stat().st_size >> 20} MB")


def run_cell(parts: Parts, guard: str, work: str, options: Namespace) -> Result:
    """What happened; "error" where the machine did not come to an end."""
    began = time.monotonic()
    notes: list[str] = []
    swap = int((SOAK if work == "soak" else WORKS[work]).swap)
    with tempfile.TemporaryDirectory(prefix="gb") as folder:
        machine = Machine(Path(folder), parts)
        try:
            machine.wait_for_state(120)
            machine.send(
                f"guard={guard} work={work} limit={options.limit} settle={options.settle} idle={options.idle} swap={swap} rounds={options.rounds}"
            )
            machine.command("cont")
            while not (line := machine.line(options.wall)).startswith("RESULT "):
                notes.append(line)
            result: Result = json.loads(line[7:])
        except (TimeoutError, EOFError, RuntimeError, ValueError) as error:
            console = machine.console.read_text(errors="replace")[-1500:] if machine.console.exists() else ""
            result = {"guard": guard, "work": work, "error": repr(error), "console": console}
        finally:
            machine.close()
    result["wall_s"] = round(time.monotonic() - began, 1)
    if notes:
        result["notes"] = notes
    return result
