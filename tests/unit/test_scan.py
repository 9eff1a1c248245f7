"""A big file gives the same reports whether one process reads it or two, and live logs give a kill at once."""

from __future__ import annotations

import gzip
import os
import threading
import time
from pathlib import Path

import pytest

from oomlens.host import scan as scan_module
from oomlens.host import scan_many as scan_many_module
from oomlens.host.live_scan import scan_live
from oomlens.host.read.expand import sources
from oomlens.host.read.follow import GrowingFile, LiveStream, follow
from oomlens.host.read.source import Source
from oomlens.host.scan import no_progress, scan
from oomlens.host.scan_many import Told, scan_many
from support.cases import all_cases

NOISE = b"".join(b"Feb  3 04:57:%02d h app[12]: INFO request %d took 3ms\n" % (n % 60, n) for n in range(9000))
LOGS = [
    case.log.rstrip(b"\n") + b"\n"
    for case in all_cases()
    if case.name.startswith(("cad-", "el6-", "lab-global", "ml-memcg1-leaker-c"))
]
KILL = b"[   12.345678] Out of memory: Killed process %d (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"


def big(tmp_path: Path) -> Source:
    path = tmp_path / "big.log"
    path.write_bytes(NOISE + b"".join(log + NOISE for log in LOGS))
    return Source("big.log", lambda: path.open("rb", buffering=0), path, path.stat().st_size)


@pytest.mark.parametrize("shared_bytes", [200_000, 777_777])
def test_two_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_bytes: int) -> None:
    source = big(tmp_path)
    assert source.path is not None
    alone = list(scan(source, workers=1))
    assert len(alone) >= len(LOGS)
    monkeypatch.setattr(scan_module, "SHARED_BYTES", shared_bytes)
    monkeypatch.setattr(scan_module, "PART_BYTES", shared_bytes)
    together = list(scan(source, workers=2))
    assert together == alone
    lines = source.path.read_bytes().split(b"\n")
    for report in together:
        # The first line of the report is where its origin says.
        offset = sum(len(line) + 1 for line in lines[: report.origin.first_line - 1])
        assert offset == report.origin.first_byte


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    source = big(tmp_path)
    told: list[int] = []
    list(scan(source, workers=1, progress=told.append))
    assert told == sorted(told)
    assert told[-1] == source.size_bytes


def test_a_growing_file_is_followed_over_rotation_and_truncation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    growing = GrowingFile(path)
    assert growing.arrived() == b""
    with path.open("ab") as file:
        file.write(b"one\n")
    assert growing.arrived() == b"one\n"
    with path.open("ab") as file:
        file.write(b"before\n")
    path.rename(tmp_path / "log.1")
    path.write_bytes(b"two\n")
    assert growing.arrived() == b"before\n"
    assert growing.arrived() == b"two\n"
    path.write_bytes(b"3\n")  # copytruncate
    assert growing.arrived() == b"3\n"
    path.unlink()
    assert growing.arrived() == b""
    path.write_bytes(b"four\n")
    assert growing.arrived() + growing.arrived() == b"four\n"


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def read(self, size: int, /) -> bytes:
        return os.read(self.reader, size)

    def close(self) -> None:
        os.close(self.reader)


def test_a_kill_is_given_within_a_tenth_of_a_second_and_once() -> None:
    pipe = Pipe()
    sent: list[float] = []

    def write() -> None:
        time.sleep(0.05)
        for pid in (7, 8):
            os.write(pipe.writer, b"[   11.000000] a line\n" + KILL % pid)
            sent.append(time.monotonic())
            time.sleep(0.3)
            os.write(
                pipe.writer,
                b"[   14.000000] oom_reaper: reaped process %d (a), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n"
                % pid,
            )
            time.sleep(0.1)
        os.close(pipe.writer)

    thread = threading.Thread(target=write)
    thread.start()
    got = [
        (report.victims[0].pid, time.monotonic())
        for report in scan_live(follow([LiveStream("p", pipe, pipe.reader)]), None)
    ]
    thread.join()
    pipe.close()
    assert [pid for pid, _ in got] == [7, 8]
    for (_, at), begun in zip(got, sent, strict=True):
        assert at - begun < 0.1


def test_a_report_that_comes_in_pieces_is_given_whole() -> None:
    (log,) = [log for log in LOGS if b"4.9." in log][:1] or LOGS[:1]
    pipe = Pipe()

    def write() -> None:
        for start in range(0, len(log), 3000):
            os.write(pipe.writer, log[start : start + 3000])
            time.sleep(0.002)
        os.close(pipe.writer)

    thread = threading.Thread(target=write)
    thread.start()
    got = list(scan_live(follow([LiveStream("p", pipe, pipe.reader)]), None))
    thread.join()
    pipe.close()
    assert [report.complete for report in got if report.victims] == [True] * len(got)


def test_waiting_costs_no_processor_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x\n")
    arrivals = follow([GrowingFile(path)])
    begun = time.process_time()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        next(arrivals)
    assert time.process_time() - begun < 0.05


@pytest.mark.parametrize("workers", [1, 2])
def test_many_compressed_files_are_shared_out_and_a_broken_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(scan_many_module, "_WORTH_BYTES", 0)
    for number, log in enumerate(LOGS):
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(NOISE[:4000] + log))
    broken = gzip.compress(LOGS[0] + NOISE)
    (tmp_path / "zz.gz").write_bytes(broken[: len(broken) - 300])
    (tmp_path / "plain").write_bytes(LOGS[0])
    told: list[Told] = []
    found = list(
        scan_many(
            sources([str(tmp_path)], notes=lambda _note: None),
            told.append,
            progress=lambda _source: no_progress,
            workers=workers,
        )
    )
    alone = [
        report
        for source in sources([str(tmp_path)], notes=lambda _note: None)
        if "zz" not in source.name
        for report in scan(source)
    ]
    assert [report for report in found if "zz" not in report.origin.source] == alone
    assert any("zz" in report.origin.source for report in found)
    assert [(Path(end.source).name, end.error is not None) for end in told] == [
        *((f"{number}.gz", False) for number in range(len(LOGS))), ("plain", False), ("zz.gz", True),
    ]  # fmt: skip
