"""The recorder over hours and days of a simulated machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from oomlens.host.read.history import read_history
from oomlens.model.history import ContainerLabel
from oomlens.model.report import CgroupNames, Outcome
from oomlens.model.snapshot import Process
from oomlens.record.intervals import Rhythm
from oomlens.record.retention import Keep
from oomlens.record.ring import Ring
from support.cases import FOLDER, read_case
from support.recorder import GIB, Simulated

CASE = "lab-memcg2-swap-6.12"


def worker(pid: int, held: int, started: float = 1.0) -> Process:
    return Process(pid, "worker", "S", 1, 1, started, rss_bytes=held, cgroup="/app")


def test_hours_of_rest_and_trouble_stay_within_every_bound(tmp_path: Path) -> None:
    # A minute in each hour memory is short.
    machine = Simulated(
        until=8 * 3600.0,
        available=lambda at: GIB if at % 3600 < 60 else 8 * GIB,
        processes=lambda at: [worker(pid, int(at * 4096 * pid) % GIB) for pid in range(1, 40)],
        cost=0.03,
    )
    keep = Keep(size_bytes=1 << 20)
    machine.run(tmp_path, keep=keep, rhythm=Rhythm(rest_seconds=120.0))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= keep.size_bytes + 64
    assert machine.used <= 0.01 * 8 * 3600 + 6.1
    held = read_history(tmp_path)
    assert held.gaps == ()
    assert held.samples[-1].time_seconds >= machine.wall(machine.until) - 125
    # Within the trouble every second, outside of it every two minutes.
    steps = [two.time_seconds - one.time_seconds for one, two in pairwise(held.samples)]
    assert min(steps) >= 0.9
    assert sum(step < 2 for step in steps) > 50
    assert max(steps) <= 125


def test_a_kill_in_the_ring_buffer_is_stored_with_the_snapshot_before_it(tmp_path: Path) -> None:
    log = read_case(FOLDER / f"{CASE}.case").log
    ring_file = tmp_path / "kmsg"
    ring_file.write_bytes(b"")
    ring = Ring(ring_file, reference=None, boot_time=None, from_end=False)
    victim = _victim()

    def processes(at: float) -> Iterable[Process]:
        if at > 100 and not ring_file.stat().st_size:
            ring_file.write_bytes(log)  # the kernel speaks while we read
        return [worker(1, GIB), *([worker(victim, 2 * GIB)] if at <= 100 else [])]

    label = ContainerLabel("0f2b", "web", "nginx", "web-1", "shop")

    def labels(names: Iterable[CgroupNames]) -> dict[str, ContainerLabel]:
        return {one.path: label for one in names}

    machine = Simulated(until=130.0, processes=processes)
    machine.run(tmp_path / "history", ring=ring, labels=labels)
    (kill,) = read_history(tmp_path / "history", snapshots=True).kills
    assert kill.seen_by == "kmsg"
    assert kill.report is not None
    assert kill.report.outcome is Outcome.KILLED
    assert kill.report.victims[0].pid == victim
    assert kill.boot_id == "boot-1"
    assert kill.snapshot is not None
    assert {process.pid for process in kill.snapshot.processes} == {1, victim}
    assert kill.snapshot.time_seconds == pytest.approx(machine.wall(100.0), abs=11)
    assert dict(kill.labels)[kill.report.oom_memcg or ""] == label
    assert [what for what, _ in machine.told] == ["kill"]
    # A sample just after it.
    after = [one for one in read_history(tmp_path / "history").samples if one.time_seconds > machine.wall(100.0)]
    assert after[0].time_seconds <= machine.wall(112.0)


def _victim() -> int:
    (line,) = read_case(FOLDER / f"{CASE}.case").all("VICTIM")
    return int(line.split()[-1])


def test_of_a_huge_machine_the_largest_processes_are_remembered(tmp_path: Path) -> None:
    machine = Simulated(
        until=30.0, kills=lambda at: int(at > 15), processes=lambda _at: [worker(pid, pid) for pid in range(1, 2501)]
    )
    machine.run(tmp_path)
    (kill,) = read_history(tmp_path, snapshots=True).kills
    assert kill.snapshot is not None
    assert [each.pid for each in kill.snapshot.processes] == list(range(501, 2501))


def test_without_a_ring_buffer_the_counters_tell(tmp_path: Path) -> None:
    machine = Simulated(
        until=40.0,
        kills=lambda at: 3 if at < 25 else 5,
        processes=lambda at: [worker(1, GIB), *([worker(7, 2 * GIB), worker(8, GIB)] if at < 25 else [])],
    )
    machine.run(tmp_path)
    (kill,) = read_history(tmp_path, snapshots=True).kills
    assert (kill.seen_by, kill.count, kill.report) == ("counters", 2, None)
    assert [row.pid for row in kill.gone] == [7, 8]
    assert kill.snapshot is not None
    assert len(kill.snapshot.processes) == 3
    assert kill.time_seconds == pytest.approx(machine.wall(25.0), abs=1.1)


def test_a_storm_of_kills_does_not_wash_the_history_away(tmp_path: Path) -> None:
    machine = Simulated(until=400.0, kills=lambda at: int(at) if at < 300 else 300)
    machine.run(tmp_path, keep=Keep(size_bytes=1 << 20))
    held = read_history(tmp_path, snapshots=True)
    assert sum(kill.count for kill in held.kills) == 300
    stored = {kill.snapshot.time_seconds for kill in held.kills if kill.snapshot is not None}
    assert len(stored) <= 31  # once in ten seconds
    assert sum(file.size_bytes for file in held.files) < 1 << 19


def test_a_clock_that_is_set_begins_a_new_file_and_loses_nothing(tmp_path: Path) -> None:
    machine = Simulated(until=300.0, wall=lambda at: 1_800_000_000.0 + at + (86400 * 365 if at > 150 else 0))
    machine.run(tmp_path)
    held = read_history(tmp_path)
    assert len(held.samples) == machine.samples
    assert len(held.files) == 2
    # Later by uptime, whatever the clock says; each span can be read by its own times.
    assert len(read_history(tmp_path, until=1_800_000_150.0).samples) == 15 + 1
    assert len(read_history(tmp_path, since=1_800_000_000.0 + 86400 * 365).samples) == len(held.samples) - 16
    back = Simulated(until=300.0, wall=lambda at: 1_700_000_000.0 + at - (5000 if at > 150 else 0))
    back.run(tmp_path / "back")
    assert len(read_history(tmp_path / "back").samples) == back.samples


def test_after_a_reboot_the_samples_are_of_another_boot(tmp_path: Path) -> None:
    Simulated(until=30.0).run(tmp_path)
    Simulated(until=30.0, wall=lambda at: 1_800_001_000.0 + at, boot_id="boot-2").run(tmp_path)
    held = read_history(tmp_path)
    assert [one.boot_id for one in held.samples] == ["boot-1"] * 3 + ["boot-2"] * 3
    assert [file.begin.boot_id for file in held.files if file.begin is not None] == ["boot-1", "boot-2"]


@pytest.mark.parametrize(("code", "word"), [(errno.ENOSPC, "disk-nearly-full"), (errno.EIO, os.strerror(errno.EIO))])
def test_a_disk_that_refuses_is_told_of_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, word: str
) -> None:
    machine = Simulated(until=600.0)
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if 100 < machine.at < 300:
            raise OSError(code, os.strerror(code))
        return real(descriptor, data)

    monkeypatch.setattr("oomlens.record.store.os.write", write)
    machine.run(tmp_path)
    assert [what for what, _ in machine.told] == ["paused", "resumed"]
    assert machine.told[0][1] == word
    times = [one.time_seconds - 1_800_000_000.0 for one in read_history(tmp_path).samples]
    assert [time for time in times if 110 < time < 300] == []
    assert any(300 <= time <= 311 for time in times)
    assert read_history(tmp_path).gaps == ()


def test_once_is_one_sample_and_a_time_is_kept(tmp_path: Path) -> None:
    machine = Simulated(until=1e9)
    assert machine.run(tmp_path / "once", once=True) == 1
    assert machine.run(tmp_path / "for", seconds=25.0) == 3
    assert machine.at == pytest.approx(25.0, abs=0.1)


def test_no_memory_for_a_turn_is_no_end(tmp_path: Path) -> None:
    def processes(at: float) -> Iterable[Process]:
        if 15 < at < 45:
            raise MemoryError
        return ()

    machine = Simulated(until=100.0, processes=processes)
    machine.run(tmp_path)
    times = [one.time_seconds - 1_800_000_000.0 for one in read_history(tmp_path).samples]
    assert any(time > 60 for time in times)
