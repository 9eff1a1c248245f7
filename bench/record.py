"""What the flight recorder costs: processor, memory and disk beside so many processes. Nothing here passes or fails.

python bench/record.py [--processes 100,1000] [--seconds 60] [--interval 10]
Starts that many sleeping processes and twenty that change their memory, records for a while, and prints the figures by day.
Last, the same samples go into an SQLite database as its manual advises for many small writes (WAL, synchronous=NORMAL).
"""

from __future__ import annotations

import argparse
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from oomlens.host.read.history import files_of, read_history
from oomlens.model.history import Begin, Sample
from oomlens.model.history_codec import Frame, FrameKind, split
from oomlens.model.sample_codec import SampleEncoder
from oomlens.record.retention import Keep
from oomlens.record.store import Store

DAY = 86400
BUSY = """
import random, time
random.seed({seed})
held = []
while True:
    held = [bytearray(random.randrange(1 << 22)) for _ in range(random.randrange(8))]
    time.sleep(random.random() * 2)
"""


def crowd(count: int) -> list[subprocess.Popen[bytes]]:
    """Sleeping processes, and some that do something."""
    busy = [subprocess.Popen([sys.executable, "-S", "-c", BUSY.format(seed=seed)]) for seed in range(min(20, count))]
    return busy + [subprocess.Popen(["sleep", "1d"]) for _ in range(count - len(busy))]


def figures(pid: int) -> tuple[float, int, int]:
    """Processor seconds, peak of the resident size in KiB, bytes given to write()."""
    cells = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    written = re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(encoding="ascii"))
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(cells[11]) + int(cells[12])) / ticks, int(peak[1]) if peak else 0, int(written[1]) if written else 0


def sample_bytes(folder: Path) -> int:
    """What samples take; kills on a busy machine, and what was stored with them, do not count."""
    parts = [part for file in files_of(folder) for part in split(file.read_bytes())]
    kinds = (FrameKind.SAMPLE, FrameKind.WHOLE)
    return sum(part.end - part.place for part in parts if isinstance(part, Frame) and part.kind in kinds)


def measure(count: int, seconds: float, interval: float) -> Sequence[Sample]:
    """Prints a row; gives the samples."""
    others = crowd(count)
    try:
        time.sleep(2)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "oomlens", "record", "--folder", folder, "--interval", f"{interval}s"]
            recorder = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            time.sleep(5)  # what starting costs is not what running costs
            cpu, _, _ = figures(recorder.pid)
            time.sleep(seconds)
            cpu_now, peak, _ = figures(recorder.pid)
            recorder.terminate()
            recorder.wait()
            held, size = read_history(Path(folder)), sample_bytes(Path(folder))
    finally:
        for other in others:
            other.kill()
        for other in others:
            other.wait()
    print(
        f"{count:9} {interval:8g} s {len(held.samples):8} {len(held.kills):6} {100 * (cpu_now - cpu) / seconds:8.3f} % {peak / 1024:8.1f} MiB"
        f" {size / (seconds + 5) * DAY / 1e6:10.2f} MB/day"
    )
    return held.samples


def compare(samples: Sequence[Sample]) -> None:
    """Our files beside SQLite with the same contents, a write for each sample."""
    rounds = max(1, 4000 // max(len(samples), 1))
    many = [
        sample._replace(time_seconds=sample.time_seconds + 1e4 * turn) for turn in range(rounds) for sample in samples
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        begun = time.process_time()
        written = figures(os.getpid())[2]
        store = Store(place / "ours", Keep(), tell=lambda *_: None)
        store.begin(Begin(0.0))
        for sample in many:
            store.add_sample(sample)
        store.close()
        row(
            "append-only, checksummed",
            many,
            time.process_time() - begun,
            figures(os.getpid())[2] - written,
            place / "ours",
        )
        begun, written = time.process_time(), figures(os.getpid())[2]
        base = sqlite3.connect(place / "sqlite", isolation_level=None)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=NORMAL")
        base.execute("CREATE TABLE sample (time REAL PRIMARY KEY, data BLOB) WITHOUT ROWID")
        encoder = SampleEncoder()
        for number, sample in enumerate(many):
            base.execute(
                "INSERT INTO sample VALUES (?, ?)",
                (sample.time_seconds, encoder.encode(sample, whole=number % 64 == 0)),
            )
        base.close()
        row(
            "SQLite, WAL, NORMAL",
            many,
            time.process_time() - begun,
            figures(os.getpid())[2] - written,
            place / "sqlite",
        )


def row(title: str, samples: Sequence[Sample], cpu: float, written: int, place: Path) -> None:
    held = sum(file.stat().st_size for file in place.iterdir()) if place.is_dir() else place.stat().st_size
    count = len(samples)
    print(
        f"{title:28} {held / count:8.0f} B held {written / count:8.0f} B written {1e6 * cpu / count:8.0f} µs, each a sample"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="100,1000")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval", type=float, default=10.0)
    options = parser.parse_args(arguments)
    print("processes interval  samples  kills   of a core      peak RSS          disk")
    samples: Sequence[Sample] = ()
    for count in map(int, options.processes.split(",")):
        samples = measure(count, options.seconds, options.interval)
    print()
    compare(samples)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
