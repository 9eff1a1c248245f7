"""Samples and files of the flight recorder: what goes in comes out, in few bytes, and damage costs only what it hits."""

from __future__ import annotations

import zlib
from itertools import pairwise

import pytest

from oomlens.model.history import Begin, CgroupFigures, CgroupKills, ContainerLabel, HostFigures, Kill, ProcessFigures
from oomlens.model.history_codec import (
    HEAD_BYTES,
    MAGIC,
    Damage,
    Frame,
    FrameKind,
    HistoryError,
    begin_from_content,
    begin_to_content,
    frame,
    kill_from_dict,
    kill_to_dict,
    pack,
    split,
    unpack,
)
from oomlens.model.sample_codec import CodecError, SampleDecoder, SampleEncoder
from support.cases import FOLDER, read_case
from support.decode import kernel_reports
from support.history import BOOT, MIB, process, sample

CGROUP = CgroupFigures("/system.slice/a.service", 300 * MIB, 512 * MIB, container="web", pod="shop/web-1")


def test_a_sample_comes_back_as_it_was() -> None:
    first = sample(1000.125, uptime=77.25, cgroups=[CGROUP], processes=[process(4, 5 * MIB), process(9, None)])
    second = sample(
        1010.5,
        uptime=87.75,
        available=None,
        cgroups=[CgroupFigures("/a", 3), CGROUP._replace(current_bytes=None, container=None)],
        processes=[process(9, 12345)],
    )
    encoder, decoder = SampleEncoder(), SampleDecoder(BOOT)
    assert decoder.decode(encoder.encode(first, whole=True)) == first
    assert decoder.decode(encoder.encode(second, whole=False)) == second
    assert decoder.decode(encoder.encode(first, whole=False)) == first


def test_what_did_not_change_takes_no_room() -> None:
    rows = [process(pid, pid * MIB) for pid in range(1, 60)]
    encoder = SampleEncoder()
    encoder.encode(sample(1000.0, processes=rows), whole=True)
    # number, time (two bytes), uptime (flag and two bytes), no change of the machine, and three zero counts for each table
    assert len(encoder.encode(sample(1001.0, processes=rows), whole=False)) == 1 + 2 + 3 + 1 + 3 + 3
    rows[10] = process(11, 12 * MIB)
    # one row of a process more: its number, the bitmap (two bytes for fields 5 and 6), two values of 1024 KiB (two bytes each)
    assert len(encoder.encode(sample(1002.0, processes=rows), whole=False)) == 13 + 1 + 1 + 2 * 2


def test_a_sample_whose_predecessor_is_missing_is_refused_until_the_next_whole_one() -> None:
    encoder, decoder = SampleEncoder(), SampleDecoder(None)
    coded = [encoder.encode(sample(float(time)), whole=time in (0, 3)) for time in range(5)]
    decoder.decode(coded[0])
    with pytest.raises(CodecError):
        decoder.decode(coded[2])
    with pytest.raises(CodecError):
        decoder.decode(coded[1])
    assert decoder.decode(coded[3]).time_seconds == 3.0
    assert decoder.decode(coded[4]).time_seconds == 4.0


def test_clock_and_uptime_may_go_back() -> None:
    encoder, decoder = SampleEncoder(), SampleDecoder(None)
    for number, (time, uptime) in enumerate([(2e9, 5.0), (1000.0, None), (-5.5, 3.25)]):
        one = sample(time, boot_id=None)._replace(uptime_seconds=uptime)
        assert decoder.decode(encoder.encode(one, whole=number == 0)) == one


def test_fractions_are_kept_as_the_kernel_prints_them() -> None:
    host = HostFigures(some_avg10_percent=12.34, full_avg10_percent=0.0, some_stalled_seconds=1.002)
    decoded = SampleDecoder(None).decode(SampleEncoder().encode(sample(1.0, host=host), whole=True))
    assert decoded.host == host


def test_a_row_without_its_name_is_damage() -> None:
    nameless = ProcessFigures(7, 1.0, None)  # type: ignore[arg-type]
    with pytest.raises(CodecError):
        SampleDecoder(None).decode(SampleEncoder().encode(sample(1.0, processes=[nameless]), whole=True))


def test_frames_come_back_in_order() -> None:
    contents = [(FrameKind.BEGIN, b"{}"), (FrameKind.SAMPLE, b""), (FrameKind.KILL, b"\xd6\x4f" * 9)]
    data = MAGIC + b"".join(frame(kind, content) for kind, content in contents)
    parts = list(split(data))
    assert [(part.kind, part.content) for part in parts if isinstance(part, Frame)] == contents
    assert parts[0].place == len(MAGIC)
    assert all(one.end == two.place for one, two in pairwise(parts))
    assert parts[-1].end == len(data)


def test_damage_costs_the_frame_that_it_hits() -> None:
    one, two, three = (frame(FrameKind.SAMPLE, bytes([number]) * 20) for number in range(3))
    data = bytearray(MAGIC + one + two + three)
    place = len(MAGIC) + len(one)
    data[place + HEAD_BYTES + 3] ^= 1
    assert list(split(bytes(data))) == [
        Frame(FrameKind.SAMPLE, bytes(20), len(MAGIC), place),
        Damage(place, place + len(two), cut=False),
        Frame(FrameKind.SAMPLE, b"\2" * 20, place + len(two), len(data)),
    ]


def test_what_a_power_cut_left_is_told_apart_from_damage() -> None:
    whole = MAGIC + frame(FrameKind.SAMPLE, b"a" * 50)
    cut = whole + frame(FrameKind.SAMPLE, b"b" * 50)[:-7]
    assert list(split(cut))[-1] == Damage(len(whole), len(cut), cut=True)
    # A file system that gives zeroes for what it had not written yet.
    assert list(split(whole + bytes(64)))[-1] == Damage(len(whole), len(whole) + 64, cut=True)
    assert list(split(b"something else")) == [Damage(0, 14, cut=False)]
    assert list(split(MAGIC)) == []


def test_a_kill_comes_back_with_report_and_names() -> None:
    (told,) = kernel_reports(read_case(FOLDER / "lab-memcg2-swap-6.12.case").log)
    kill = Kill(
        1000.5, "kmsg", 50.25, BOOT, told, 1, (CgroupKills("/a", 2),), (process(4, 5 * MIB),),
        (("/a", ContainerLabel("0f2b", "web", "nginx:1", "web-1", "shop")),),
    )  # fmt: skip
    assert kill_from_dict(unpack(pack(kill_to_dict(kill)))) == kill


def test_heads_and_kills_that_are_none_are_told_as_such() -> None:
    begin = Begin(5.0, BOOT, "h", "6.12.0", 4096, "0.1")
    assert begin_from_content(begin_to_content(begin)) == begin
    assert begin_from_content(b'{"time_seconds":5,"later_key":1}') == Begin(5)
    for content in (b"", b"[]", b"{}", b"\xff"):
        with pytest.raises(HistoryError):
            begin_from_content(content)
    for entry in ({}, {"time_seconds": 1, "seen_by": "kmsg", "report": {"schema": "other"}}, {"time_seconds": "x"}):
        with pytest.raises(HistoryError):
            kill_from_dict(entry)


def test_a_compressed_content_does_not_fill_the_memory() -> None:
    with pytest.raises(HistoryError):
        unpack(zlib.compress(b" " * (65 << 20)))
    with pytest.raises(HistoryError):
        unpack(b"not compressed")
