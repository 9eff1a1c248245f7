"""`read_history`: what a folder holds of a span; damage, other machines' files and refusals cost only themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomlens.host.read.history import found_folder, read_history
from oomlens.host.read.source import UnreadableError
from oomlens.model.history import CgroupFigures, Kill
from oomlens.model.history_series import cgroup_series, host_series, process_series, sample_before
from oomlens.model.snapshot import HostMemory, Snapshot
from support.history import BOOT, MIB, history_bytes, process, sample, write_history


def test_a_span_of_several_files_is_read_in_order(tmp_path: Path) -> None:
    for number in range(3):
        write_history(tmp_path, [sample(1000.0 * number + step) for step in range(0, 1000, 100)], number=number + 1)
    held = read_history(tmp_path, 900.0, 2000.0)
    assert [one.time_seconds for one in held.samples] == [
        900.0,
        *[1000.0 + step for step in range(0, 1000, 100)],
        2000.0,
    ]
    assert {one.boot_id for one in held.samples} == {BOOT}
    assert held.gaps == ()
    assert [file.samples for file in read_history(tmp_path).files] == [10, 10, 10]


def test_files_outside_the_span_are_not_decoded(tmp_path: Path) -> None:
    for number in range(3):
        write_history(tmp_path, [sample(1000.0 * number + step) for step in range(0, 1000, 100)], number=number + 1)
    assert [file.name for file in read_history(tmp_path, since=2500.0).files] == ["00000003.oomh"]
    assert [file.name for file in read_history(tmp_path, until=500.0).files] == ["00000001.oomh"]


def test_a_file_cut_short_gives_what_was_whole(tmp_path: Path) -> None:
    file = write_history(tmp_path, [sample(float(time)) for time in range(25)])
    data = file.read_bytes()
    file.write_bytes(data[:-3])
    held = read_history(tmp_path)
    assert [one.time_seconds for one in held.samples] == [float(time) for time in range(24)]
    assert [one.damage for one in held.files] == ["cut-short"]
    assert held.gaps == ()  # the ordinary end of a recorder that was killed


def test_damage_is_passed_over_to_the_next_whole_sample_and_named(tmp_path: Path) -> None:
    file = write_history(tmp_path, [sample(float(time)) for time in range(25)])
    data = bytearray(file.read_bytes())
    third = data.index(b"\xd6\x4fS", data.index(b"\xd6\x4fS") + 1)
    data[third + 12] ^= 0xFF
    file.write_bytes(bytes(data))
    held = read_history(tmp_path)
    # 0 whole, 1, 2 hurt; 3 to 9 lean on it; 10 is whole again.
    assert [one.time_seconds for one in held.samples] == [0.0, 1.0, *[float(time) for time in range(10, 25)]]
    assert [(gap.what, gap.why) for gap in held.gaps] == [("history: 00000001.oomh", "damaged")]


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(100), b"oomlens history 1\n" + b"\xd6\x4fW" * 50])
def test_what_is_no_history_is_named_and_the_rest_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "00000001.oomh").write_bytes(content)
    (tmp_path / "lock").write_bytes(b"1\n")
    write_history(tmp_path, [sample(5.0)], number=2)
    held = read_history(tmp_path)
    assert [one.time_seconds for one in held.samples] == [5.0]
    assert held.files[0].damage is not None


def test_kills_come_with_the_snapshot_before_them_where_asked_for(tmp_path: Path) -> None:
    before = Snapshot(HostMemory(4096, name="h"), time_seconds=10.0)
    write_history(
        tmp_path, [sample(10.0), sample(20.0)], [Kill(12.0, "counters", snapshot=before, before_seconds=10.0, count=2)]
    )
    (kill,) = read_history(tmp_path).kills
    assert (kill.time_seconds, kill.count, kill.snapshot) == (12.0, 2, None)
    (kill,) = read_history(tmp_path, snapshots=True).kills
    assert kill.snapshot == before
    assert read_history(tmp_path, since=13.0).kills == ()


def test_thinning_keeps_the_minutes_before_a_kill(tmp_path: Path) -> None:
    write_history(tmp_path, [sample(float(time)) for time in range(0, 1000, 10)], [Kill(405.0, "counters")])
    times = [one.time_seconds for one in read_history(tmp_path, most_samples=10).samples]
    assert times[:2] == [0.0, 100.0]
    assert [time for time in times if 200 < time <= 500] == [*(float(time) for time in range(290, 401, 10)), 500.0]
    assert read_history(tmp_path, most_samples=0).samples == ()


def test_curves_follow_a_process_by_its_identity() -> None:
    samples = [
        sample(1.0, processes=[process(7, 10 * MIB, started=0.5)], available=100),
        sample(2.0, processes=[process(7, 30 * MIB, started=1.5)], available=None),
        sample(3.0, processes=[process(7, 40 * MIB, started=1.5)], cgroups=[CgroupFigures("/a", 5)]),
    ]
    assert process_series(samples, 7, 1.5) == ((2.0, 30 * MIB), (3.0, 40 * MIB))
    assert [point.time_seconds for point in host_series(samples, "available_bytes")] == [1.0, 3.0]
    assert cgroup_series(samples, "/a") == ((3.0, 5),)
    assert sample_before(samples, 2.5) == samples[1]
    assert sample_before(samples, 0.5) is None


def test_a_folder_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError) as told:
        read_history(tmp_path / "nowhere")
    assert (told.value.reference, told.value.hint) == ("not-found", "start the recorder: sudo oomlens record --install")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnreadableError) as told:
        read_history(tmp_path / "file")
    assert told.value.reference == "not-a-folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_gap(tmp_path: Path) -> None:
    write_history(tmp_path, [sample(1.0)]).chmod(0)
    assert [gap.why for gap in read_history(tmp_path).gaps] == ["permission-denied"]


def test_a_folder_in_place_of_a_file_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "00000001.oomh").mkdir()
    assert [gap.what for gap in read_history(tmp_path).gaps] == ["history: 00000001.oomh"]


def test_the_history_below_another_root_is_found(tmp_path: Path) -> None:
    assert found_folder(tmp_path) is None
    folder = tmp_path / "var/lib/oomlens/history"
    write_history(folder, [sample(1.0)])
    assert found_folder(tmp_path) == folder


def test_files_of_a_later_version_do_not_hide_the_rest(tmp_path: Path) -> None:
    data = history_bytes([sample(1.0), sample(2.0)])
    (tmp_path / "00000001.oomh").write_bytes(data.replace(b"history 1", b"history 2", 1))
    held = read_history(tmp_path)
    assert [file.damage for file in held.files] == ["not-a-history"]
