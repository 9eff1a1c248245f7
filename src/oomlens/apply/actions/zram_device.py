"""zram-device, the other half."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.read.swap_header import header_of
from oomlens.host.write.files import write_value
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import zram_device

_MODULE_WAIT_SECONDS = 3.0


def _folder(step: Step) -> str:
    return f"/sys/block/{step.parameters['device']}"


def _algorithm(step: Step, machine: Machine) -> str | None:
    words = (machine.tree.text(f"{_folder(step)}/comp_algorithm") or "").split()
    return next((word[1:-1] for word in words if word.startswith("[")), None)


def observe(step: Step, machine: Machine) -> Json:
    """Its size; 0 where the module is not even loaded."""
    found = machine.tree.text(f"{_folder(step)}/disksize")
    size = int(found) if found is not None and found.isdecimal() else 0
    swap = False
    if size:
        with suppress(OSError):
            swap = header_of(machine.place(step.target)) is not None
    return {"loaded": found is not None, "disk_bytes": size, "algorithm": _algorithm(step, machine), "swap": swap}


def do(step: Step, _before: Json, machine: Machine) -> None:
    """Loads the module where it is missing, sets the device up, writes the swap header."""
    if not observe(step, machine)["loaded"]:
        _run(["modprobe", "zram"], machine)
        _wait(machine.place(f"{_folder(step)}/disksize"))
    if observe(step, machine)["disk_bytes"]:
        _write(step, "reset", "1", machine)  # what an interrupted run set up
    if step.parameters.get("algorithm"):
        _write(step, "comp_algorithm", str(step.parameters["algorithm"]), machine)
    _write(step, "disksize", str(step.parameters["size_bytes"]), machine)
    if step.parameters.get("limit_bytes"):
        _write(step, "mem_limit", str(step.parameters["limit_bytes"]), machine)
    _run(["mkswap", str(machine.place(step.target))], machine)


def undo(step: Step, before: Json, machine: Machine) -> None:
    """The device is free again, with the algorithm it had; a module that we loaded goes, if nobody else uses it."""
    now = observe(step, machine)
    if not now["loaded"]:
        return
    if now["disk_bytes"]:
        _write(step, "reset", "1", machine)
    if before["algorithm"] is not None and _algorithm(step, machine) != before["algorithm"]:
        _write(step, "comp_algorithm", str(before["algorithm"]), machine)
    if not before["loaded"]:
        machine.run(["modprobe", "-r", "zram"])


def _wait(place: Path) -> None:
    """udev and the kernel take a moment."""
    until = time.monotonic() + _MODULE_WAIT_SECONDS
    while not place.exists() and time.monotonic() < until:
        time.sleep(0.05)


def _write(step: Step, name: str, value: str, machine: Machine) -> None:
    place = machine.place(f"{_folder(step)}/{name}")
    try:
        write_value(place, value)
    except OSError as error:
        raise StepError(f"{place}: {value!r} refused: {error.strerror}") from error


def _run(argv: list[str], machine: Machine) -> None:
    done = machine.run(argv)
    if done.returncode != 0:
        raise StepError(f"{' '.join(argv)}: {done.stderr or done.stdout.strip() or f'exit status {done.returncode}'}")


def torn(_step: Step, _before: Json, _now: Json) -> bool:
    """It was free, so whatever it has now is ours."""
    return True


DOER = Doer(zram_device.NAME, observe, do, undo, torn)
