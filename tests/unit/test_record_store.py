"""The history on the disk: bounded, never in the way of others, and whole up to the last byte that was written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from oomlens.host.read.history import read_history
from oomlens.model.history import Begin, Kill, Sample
from oomlens.record.retention import Keep
from oomlens.record.store import FILE_SECONDS, QUICK_SYNC_SECONDS, SYNC_SECONDS, Full, Store, StoreError
from support.history import BOOT, process, sample, write_history

BEGIN = Begin(1000.0, BOOT, "h", "6.12.0", 4096, "0")


def ignore(_what: str, _about: str) -> None:
    """What a test does not look at."""


def opened(folder: Path, keep: Keep | None = None, tell: Callable[[str, str], None] = ignore) -> Store:
    return Store(folder, keep or Keep(), tell=tell)


def filled(time: float, seed: int = 0, rows: int = 60) -> Sample:
    """A sample of a busy machine: every process has changed."""
    return sample(time, processes=[process(pid, (pid * 7919 + seed * 104729) % 4096 * 4096) for pid in range(1, rows)])


def test_what_was_added_is_there_for_others_at_once(tmp_path: Path) -> None:
    store = opened(tmp_path / "a/b")
    store.begin(BEGIN)
    for second in range(130):
        store.add_sample(filled(1000.0 + second, second))
    store.add_kill(Kill(1130.0, "counters", count=2), None)
    held = read_history(tmp_path / "a/b")
    assert [one.time_seconds for one in held.samples] == [1000.0 + second for second in range(130)]
    assert held.samples[77] == filled(1077.0, 77)
    assert [kill.count for kill in held.kills] == [2]
    assert held.gaps == ()
    assert store.size_bytes == sum(file.size_bytes for file in held.files)
    store.close()


def test_a_second_recorder_is_told_who_is_there(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(StoreError) as told:
        opened(tmp_path)
    assert (told.value.reference, told.value.detail) == ("locked", str(os.getpid()))
    first.close()
    opened(tmp_path).close()


def test_a_folder_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for place in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(StoreError) as told:
            opened(place)
        assert told.value.reference == "not-a-folder"
    assert (tmp_path / "file").read_bytes() == b"x"


def test_each_recorder_begins_a_file_of_its_own(tmp_path: Path) -> None:
    old = write_history(tmp_path, [sample(1.0)], number=7)
    content = old.read_bytes()[:-2]
    old.write_bytes(content)  # the last one was killed while it wrote
    told: list[str] = []
    store = opened(tmp_path, tell=lambda what, _about: told.append(what))
    store.begin(BEGIN)
    store.add_sample(sample(1000.0))
    store.close()
    assert [file.name for file in read_history(tmp_path).files] == ["00000007.oomh", "00000008.oomh"]
    assert old.read_bytes() == content
    assert told == []


@pytest.mark.parametrize("spoil", ["flip", "foreign", "empty", "huge"])
def test_a_damaged_file_is_set_aside_and_named_and_recording_goes_on(tmp_path: Path, spoil: str) -> None:
    file = write_history(tmp_path, [sample(float(time)) for time in range(30)], number=3)
    data = bytearray(file.read_bytes())
    if spoil == "flip":
        data[len(data) // 2] ^= 0x10
        file.write_bytes(bytes(data))
    elif spoil == "foreign":
        file.write_bytes(b"\0" * 4096)
    elif spoil == "empty":
        file.write_bytes(b"")
    else:
        with file.open("r+b") as grown:
            grown.truncate(1 << 33)  # sparse: nothing may read it whole
    told: list[tuple[str, str]] = []
    store = opened(tmp_path, Keep(size_bytes=1 << 40), tell=lambda what, about: told.append((what, about)))
    store.begin(BEGIN)
    store.add_sample(sample(1000.0))
    store.close()
    aside = tmp_path / "00000003.oomh.damaged"
    assert told == [("set-aside", str(aside))]
    assert aside.exists()
    held = read_history(tmp_path)
    assert held.samples[-1].time_seconds == 1000.0
    # What is whole in a damaged file is still read.
    assert len(held.samples) > 10 if spoil == "flip" else len(held.samples) == 1


def test_the_room_is_never_exceeded_and_the_newest_stays(tmp_path: Path) -> None:
    keep = Keep(seconds=10**9, size_bytes=1 << 20)
    store = opened(tmp_path, keep)
    written = 0
    for number in range(2_500):
        time = 1000.0 + number
        if not store.is_open or store.needs_new_file():
            store.begin(BEGIN._replace(time_seconds=time))
        written += store.add_sample(filled(time, number, rows=150))
        if number % 50 == 0:
            there = sum(file.stat().st_size for file in tmp_path.iterdir())
            assert there <= keep.size_bytes + 64  # and the lock
    assert written > 2 * keep.size_bytes
    assert read_history(tmp_path, 3_490.0).samples[-1].time_seconds == 3_499.0
    store.close()


def test_hours_beyond_those_wanted_go(tmp_path: Path) -> None:
    store = opened(tmp_path, Keep(seconds=3 * FILE_SECONDS))
    for minute in range(10 * 60):
        if not store.is_open or store.needs_new_file():
            store.begin(BEGIN._replace(time_seconds=60.0 * minute))
        store.add_sample(sample(60.0 * minute))
    held = read_history(tmp_path)
    span = held.samples[-1].time_seconds - held.samples[0].time_seconds
    assert 3 * FILE_SECONDS - 120 <= span <= 4 * FILE_SECONDS + 120
    store.close()


class Disk:
    """Stands in for statvfs and write: a disk with so much room left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 100 << 30
        self.broken: int | None = None
        self._write = os.write
        monkeypatch.setattr("oomlens.record.store.os.statvfs", self.statvfs)
        monkeypatch.setattr("oomlens.record.store.os.write", self.write)

    def statvfs(self, _place: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free, f_blocks=100 << 30, f_frsize=1)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.broken is None:
            return self._write(descriptor, data)
        self._write(descriptor, bytes(data)[:5])  # as much as still went in
        raise OSError(self.broken, os.strerror(self.broken))


def test_a_nearly_full_disk_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    store = opened(tmp_path)
    for number in range(3):
        store.begin(BEGIN)
        for second in range(100):
            store.add_sample(filled(1000.0 + number * 100 + second, second))
    held = store.size_bytes
    disk.free = (1 << 30) - 1  # less than the reserve of 1 GiB
    for second in range(2000):
        try:
            if store.needs_new_file():
                store.begin(BEGIN)
            store.add_sample(filled(2000.0 + second, second))
        except Full:
            break
        assert store.size_bytes <= held
    assert second > 100  # older files gave their room
    with pytest.raises(Full):
        store.add_sample(filled(5000.0))
    disk.free = 50 << 30
    store.add_sample(filled(6000.0))
    assert read_history(tmp_path).samples[-1].time_seconds == 6000.0
    assert read_history(tmp_path).gaps == ()
    store.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_write_that_fails_leaves_no_half_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    disk = Disk(monkeypatch)
    store = opened(tmp_path)
    store.begin(BEGIN)
    store.add_sample(filled(1.0))
    disk.broken = code
    with pytest.raises(OSError, match=os.strerror(code)):
        store.add_sample(filled(2.0))
    with pytest.raises(OSError, match=os.strerror(code)):
        store.begin(BEGIN)
    assert not store.is_open
    disk.broken = None
    store.begin(BEGIN)
    store.add_sample(filled(3.0))
    held = read_history(tmp_path)
    assert [one.time_seconds for one in held.samples] == [1.0, 3.0]
    assert [file.damage for file in held.files] == [None, None]
    store.close()


def test_the_disk_is_asked_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("oomlens.record.store.os.fdatasync", asked.append)
    store = opened(tmp_path)
    store.begin(BEGIN)
    for second in range(600):
        store.add_sample(sample(1000.0 + second))
        store.sync_if_due(float(second), quick=second >= 300)
    # Five minutes at rest, five under pressure.
    assert len(asked) <= 300 / SYNC_SECONDS + 300 / QUICK_SYNC_SECONDS + 1
    count = len(asked)
    store.add_kill(Kill(1600.0, "counters"), None)
    assert len(asked) == count + 1
    store.close()


def test_a_kill_too_large_for_the_room_is_kept_without_its_snapshot(tmp_path: Path) -> None:
    store = opened(tmp_path, Keep(size_bytes=1 << 20))
    store.begin(BEGIN)
    store.add_kill(Kill(1000.0, "counters"), os.urandom(300 << 10))
    held = read_history(tmp_path, snapshots=True)
    assert [kill.snapshot for kill in held.kills] == [None]
    assert held.files[0].size_bytes < 10_000
    store.close()


WRITER = """
import sys
from pathlib import Path
from oomlens.model.history import Begin
from oomlens.record.retention import Keep
from oomlens.record.store import Store
sys.path.insert(0, sys.argv[2])
from support.history import process, sample
store = Store(Path(sys.argv[1]), Keep(size_bytes=1 << 20), tell=lambda *_: None)
time = float(sys.argv[3])
while True:
    if not store.is_open or store.needs_new_file():
        store.begin(Begin(time))
    rows = [process(pid, int(time) * 4096 * pid % 9973) for pid in range(1, 60)]
    store.add_sample(sample(time, processes=rows))
    print(time, flush=True)
    time += 1
"""


def test_a_recorder_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    tests = str(Path(__file__).resolve().parents[1])
    time, written = 1.0, 0.0
    for turn in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), tests, str(time)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(3 + turn * 61):
            written = float(child.stdout.readline())
        child.kill()
        written = max([written, *map(float, child.stdout.read().split())])
        child.stdout.close()
        assert child.wait(10) == -9
        held = read_history(tmp_path)
        times = [one.time_seconds for one in held.samples]
        # All that was told to be written, and at most the one that was being written.
        assert times[-1] in (written, written + 1)
        assert times == sorted(times)
        assert all(file.damage in (None, "cut-short") for file in held.files)
        time = times[-1] + 1
    # The clock of the writers counts from 1, without a hole over all of them.
    assert times == [float(number) for number in range(1, len(times) + 1)]
    assert held.samples[5].processes[0].rss_bytes == 6 * 4096 % 9973
