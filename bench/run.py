"""`make bench`: oomlens beside what a person would run instead, as ratios. Nothing here passes or fails.

python bench/run.py [--size-mib 1024] [--folder DIR] [--repeat 3]
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import logs

from oomlens.decode.anchors import ANCHORS, KERNEL

SEED = r"oom\|out of memory\|killed process"


@dataclass(frozen=True)
class Run:
    wall_seconds: float
    cpu_seconds: float
    rss_mib: int
    failed: bool


def measure(command: Sequence[str], repeat: int, environment: dict[str, str] | None = None) -> Run | None:
    """The best of several runs of a whole process; None where the program is missing."""
    if shutil.which(command[0]) is None:
        return None
    best: Run | None = None
    for _ in range(repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        # A pipe that is read: grep stops at its first match where its output goes to /dev/null.
        done = subprocess.run(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            env={**os.environ, **(environment or {})},
        )
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        run = Run(wall, cpu, after.ru_maxrss >> 10, done.returncode not in (0, 10))
        if best is None or run.cpu_seconds < best.cpu_seconds:
            best = run
    return best


def peak_mib(command: Sequence[str]) -> int:
    """Largest resident size of one process, by a child of its own."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)"
    )
    return int(
        subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True).stdout
    )


def row(title: str, run: Run | None, size_bytes: int, ours: Run | None) -> None:
    if run is None:
        print(f"{title:58} not installed")
        return
    ratio = f"{run.cpu_seconds / ours.cpu_seconds:8.2f}x {run.wall_seconds / ours.wall_seconds:8.2f}x" if ours else ""
    speed = size_bytes / run.cpu_seconds / 1e9
    print(
        f"{title:58} {run.wall_seconds:7.2f} s {run.cpu_seconds:7.2f} cpu s {speed:6.2f} GB/cpu s {ratio}{'  FAILED' if run.failed else ''}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "oomlens-bench")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    oomlens = str(Path(sys.executable).with_name("oomlens"))
    big = options.folder / f"syslog-{options.size_mib}.log"
    if not big.exists():
        print(f"making {big} …")
        logs.make(big, options.size_mib << 20)
    size = big.stat().st_size
    big.read_bytes()[:1] if size < 1 << 20 else subprocess.run(
        ["cat", str(big)], stdout=subprocess.DEVNULL, check=False
    )  # warm

    print(
        f"\nA syslog of {size / 1e9:.2f} GB with a report every 5 MB, warm cache. Ratios: the other's time / ours; above 1 we are quicker."
    )
    ours = measure([oomlens, "scan", str(big), "--format", "jsonl"], options.repeat)
    row("oomlens scan --format jsonl (everything decoded)", ours, size, None)
    row("oomlens scan (table)", measure([oomlens, "scan", str(big)], options.repeat), size, ours)
    one_core = ["taskset", "-c", "0", oomlens, "scan", str(big), "--format", "jsonl"]
    row("oomlens scan --format jsonl, one processor", measure(one_core, options.repeat), size, ours)
    anchors = [part for anchor in ANCHORS for part in ("-e", anchor.decode())]
    kernel = [part for anchor in KERNEL for part in ("-e", anchor.decode())]
    row(
        f"rg -F, the same {len(ANCHORS)} anchors",
        measure(["rg", "-a", "-j1", "-F", *anchors, str(big)], options.repeat),
        size,
        ours,
    )
    row(
        f"rg -F, the {len(KERNEL)} kernel anchors",
        measure(["rg", "-a", "-j1", "-F", *kernel, str(big)], options.repeat),
        size,
        ours,
    )
    row(
        "rg -F oom-kill, Kill",
        measure(["rg", "-a", "-j1", "-F", "-e", "oom-kill", "-e", "Kill", str(big)], options.repeat),
        size,
        ours,
    )
    row(
        "grep -i, the error page's pattern, UTF-8",
        measure(["grep", "-a", "-i", SEED, str(big)], 1, {"LC_ALL": "C.UTF-8"}),
        size,
        ours,
    )
    row(
        "grep -i, the error page's pattern, C locale",
        measure(["grep", "-a", "-i", SEED, str(big)], 1, {"LC_ALL": "C"}),
        size,
        ours,
    )

    _packed(options.folder, big, oomlens, options.repeat)
    _reports(options.folder, oomlens, options.repeat)
    help_run = measure([oomlens, "--help"], 5)
    if help_run is not None:
        print(f"\noomlens --help: {help_run.wall_seconds * 1000:.0f} ms")
    print(
        f"peak resident size, {size / 1e9:.1f} GB file: {peak_mib([oomlens, 'scan', str(big), '--format', 'jsonl'])} MiB in one process"
    )
    return 0


def _packed(folder: Path, big: Path, oomlens: str, repeat: int) -> None:
    print("\nThe first 200 MB compressed: time against the decompressor alone.")
    plain = folder / "packed.log"
    if not plain.exists():
        with big.open("rb") as file:
            plain.write_bytes(file.read(200_000_000))
    size = plain.stat().st_size
    makers: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": partial(lzma.compress, preset=1)}
    for ending, make in makers.items():
        packed = folder / f"packed.log.{ending}"
        if not packed.exists():
            packed.write_bytes(make(plain.read_bytes()))
    zst = folder / "packed.log.zst"
    if not zst.exists() and shutil.which("zstd"):
        subprocess.run(["zstd", "-q", str(plain), "-o", str(zst)], check=False)
    for ending, program in (("gz", ["gzip", "-dc"]), ("xz", ["xz", "-dc"]), ("zst", ["zstd", "-dcq"])):
        packed = folder / f"packed.log.{ending}"
        if packed.exists():
            ours = measure([oomlens, "scan", str(packed), "--format", "jsonl"], repeat)
            row(f"oomlens scan {packed.name}", ours, size, None)
            row(" ".join(program), measure([*program, str(packed)], repeat), size, ours)


def _reports(folder: Path, oomlens: str, repeat: int) -> None:
    many = folder / "reports.log"
    if not many.exists():
        logs.one_after_another(many, 1000)
    run = measure([oomlens, "scan", str(many), "--format", "jsonl"], repeat)
    if run is not None:
        lines = many.read_bytes().count(b"\n") // 1000
        speed, per_cpu = 1000 / run.wall_seconds, 1000 / run.cpu_seconds
        print(f"\n1,000 reports one after another ({lines} lines each): {speed:.0f} reports/s, {per_cpu:.0f} per cpu s")


if __name__ == "__main__":
    raise SystemExit(main())
