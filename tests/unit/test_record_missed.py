"""Kills that happened while no recorder ran."""

from __future__ import annotations

import time
from pathlib import Path

from oomlens.model.history import HostFigures, Kill
from oomlens.model.snapshot import HostMemory, Snapshot
from oomlens.record.missed import missed_kills
from support.cases import FOLDER, read_case
from support.decode import kernel_reports
from support.fake_machine import write
from support.history import BOOT, sample, write_history

LOG = read_case(FOLDER / "lab-memcg2-swap-6.12.case").log
(REPORT,) = kernel_reports(LOG)


def now(kills: int | None, boot_id: str | None = BOOT) -> Snapshot:
    return Snapshot(HostMemory(4096, boot_id=boot_id, uptime_seconds=9e6, oom_kills=kills), time_seconds=1.0)


def machine(tmp_path: Path, *, counted: int, uptime: float, boot_id: str = BOOT, kills: tuple[Kill, ...] = ()) -> Path:
    """A history whose last sample showed so many kills, and a ring buffer with one report."""
    last = sample(time.time() - 60, uptime=uptime, boot_id=boot_id, host=HostFigures(oom_kills=counted))
    write_history(tmp_path / "history", [last], kills)
    write(tmp_path / "dev/kmsg", LOG)
    return tmp_path / "history"


def test_the_reports_since_the_last_sample_are_taken_from_the_ring_buffer(tmp_path: Path) -> None:
    folder = machine(tmp_path, counted=3, uptime=1.0)
    (kill,) = missed_kills(folder, now(4), tmp_path)
    assert (kill.seen_by, kill.report and kill.report.id, kill.count) == ("kmsg", REPORT.id, 1)
    _, two = missed_kills(folder, now(6), tmp_path)
    assert (two.seen_by, two.count, two.report) == ("counters", 2, None)


def test_what_was_recorded_already_or_before_is_not_taken_again(tmp_path: Path) -> None:
    assert missed_kills(machine(tmp_path / "a", counted=4, uptime=1.0), now(4), tmp_path / "a") == []
    late = machine(tmp_path / "b", counted=3, uptime=(REPORT.uptime_seconds or 0) + 5)
    (kill,) = missed_kills(late, now(4), tmp_path / "b")
    assert kill.report is None  # the one in the ring buffer is older than the last sample
    known = machine(tmp_path / "c", counted=3, uptime=1.0, kills=(Kill(time.time(), "kmsg", report=REPORT),))
    assert [one.report for one in missed_kills(known, now(4), tmp_path / "c")] == [None]


def test_after_a_reboot_those_since_the_boot_are_missed(tmp_path: Path) -> None:
    folder = machine(tmp_path, counted=9, uptime=5e6, boot_id="earlier")
    (kill,) = missed_kills(folder, now(1), tmp_path)
    assert kill.report is not None
    assert kill.report.id == REPORT.id


def test_nothing_is_missed_where_nothing_is_known(tmp_path: Path) -> None:
    assert missed_kills(tmp_path / "nowhere", now(4), tmp_path) == []
    (tmp_path / "empty").mkdir()
    assert missed_kills(tmp_path / "empty", now(4), tmp_path) == []
    folder = machine(tmp_path, counted=3, uptime=1.0)
    assert missed_kills(folder, now(None), tmp_path) == []
    assert missed_kills(folder, now(4, None), tmp_path) == []
