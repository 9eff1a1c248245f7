"""`make bench`: a snapshot of the machine beside `ps aux` and psutil, with a thousand processes more. Nothing here passes or fails.

python bench/snapshot.py [--processes 1000] [--repeat 9]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from oomlens.host.read.processes import read_pss
from oomlens.host.read.snapshot import read_snapshot
from oomlens.predict import predict

# What psutil has of a snapshot; limits, kernel figures and scores it has not.
FIELDS = ["pid", "name", "status", "ppid", "num_threads", "create_time", "uids", "memory_info", "cpu_times"]


@contextmanager
def sleepers(count: int) -> Iterator[None]:
    """Processes that do nothing."""
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    time.sleep(1)
    try:
        yield
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.wait()


def own_seconds(work: Callable[[], object], repeat: int) -> float:
    """Processor time of this process: the best of several."""
    best = float("inf")
    for _ in range(repeat):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


def child_seconds(command: Sequence[str], repeat: int) -> float | None:
    """Processor time of a whole program; None where it is missing."""
    if shutil.which(command[0]) is None:
        return None
    best = float("inf")
    for _ in range(repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(list(command), stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def row(title: str, seconds: float | None, ours: float | None = None) -> None:
    told = "not installed" if seconds is None else f"{seconds * 1000:8.1f} ms"
    ratio = f"{seconds / ours:8.2f}x" if seconds is not None and ours else ""
    print(f"{title:58} {told} {ratio}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args(arguments)
    oomlens = str(Path(sys.executable).with_name("oomlens"))
    proc = Path("/proc")
    with sleepers(options.processes):
        count = len(read_snapshot().processes)
        print(
            f"{count} processes, {os.cpu_count()} processors. Ratios: the other's processor time / ours; above 1 we are quicker.\n"
        )
        ours = own_seconds(read_snapshot, options.repeat)
        row("read_snapshot (host, cgroups, processes, scores)", ours)
        row("  for a thousand processes", ours * 1000 / count)
        row(
            "psutil.process_iter, the fields that it has",
            own_seconds(lambda: [each.info for each in psutil.process_iter(FIELDS)], options.repeat),
            ours,
        )
        row("ps aux, the whole program", child_seconds(["ps", "aux"], options.repeat), ours)
        row(
            "ps aux with the columns that ps has of a snapshot",
            child_seconds(["ps", "-eo", "pid,ppid,uid,s,nlwp,lstart,rss,vsz,cgroup,args,maj_flt"], options.repeat),
            ours,
        )
        snapshot = read_snapshot()
        row("predict, every scope", own_seconds(lambda: predict(snapshot), options.repeat))
        row(
            "oomlens status --format json, the whole program",
            child_seconds([oomlens, "status", "--format", "json"], options.repeat),
        )
        row(
            "oomlens predict --format json, the whole program",
            child_seconds([oomlens, "predict", "--format", "json"], options.repeat),
        )
        shared = own_seconds(lambda: read_pss(snapshot.processes, None, proc), 3)
        row("\nproportional set sizes of all", shared)
        row(
            "psutil memory_full_info of all",
            own_seconds(lambda: [each.info for each in psutil.process_iter(["memory_full_info"])], 3),
            shared,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
