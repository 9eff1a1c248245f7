"""Histories under any values and any damage: what was written comes back, and nothing else raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.model.history import CgroupFigures, HostFigures, ProcessFigures, Sample
from oomlens.model.history_codec import MAGIC, Damage, FrameKind, frame, split
from oomlens.model.sample_codec import CodecError, SampleDecoder, SampleEncoder

SIZES = st.none() | st.integers(0, 1 << 50) | st.integers(0, 1 << 40).map(lambda pages: pages * 4096)
TEXTS = st.text(max_size=40) | st.sampled_from(["\udc80", "a\nb", "/x y", ""])
CENTI = st.none() | st.integers(0, 10_000).map(lambda value: value / 100)
MILLI = st.none() | st.integers(0, 1 << 40).map(lambda value: value / 1000)


def rows(row: Callable[..., Any], fields: Sequence[str], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Rows of a kind with any values that a snapshot may have."""
    strategies = {
        name: CENTI if name.endswith("_percent") else MILLI if name.endswith("_seconds") else SIZES for name in fields
    }
    return st.builds(row, **{**strategies, **known})


HOSTS = rows(HostFigures, HostFigures._fields)
CGROUPS = rows(CgroupFigures, CgroupFigures._fields, path=TEXTS, container=st.none() | TEXTS, pod=st.none() | TEXTS)
PROCESSES = rows(
    ProcessFigures,
    ProcessFigures._fields,
    pid=st.integers(1, 9),
    started_uptime_seconds=st.integers(0, 300).map(lambda ticks: ticks / 100),
    comm=TEXTS,
    cgroup=st.none() | TEXTS,
    oom_score_adj=st.none() | st.integers(-1000, 1000),
)
SAMPLES = st.builds(
    lambda time, uptime, host, cgroups, processes: Sample(
        time / 1000,
        None if uptime is None else uptime / 100,
        "boot",
        host,
        tuple(sorted({row.path: row for row in cgroups}.values(), key=lambda row: row.path)),
        tuple(sorted({row[:2]: row for row in processes}.values(), key=lambda row: row[:2])),
    ),
    st.integers(-(1 << 44), 1 << 44),
    st.none() | st.integers(0, 1 << 40),
    HOSTS,
    st.lists(CGROUPS, max_size=4),
    st.lists(PROCESSES, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SAMPLES, st.booleans()), min_size=1, max_size=6))
def test_any_samples_come_back(samples: list[tuple[Sample, bool]]) -> None:
    encoder, decoder = SampleEncoder(), SampleDecoder("boot")
    for number, (one, whole) in enumerate(samples):
        assert decoder.decode(encoder.encode(one, whole=whole or number == 0)) == one


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120), SAMPLES, st.integers(0, 1 << 16), st.integers(0, 7))
def test_bytes_that_are_no_sample_are_refused_and_nothing_worse(
    noise: bytes, one: Sample, place: int, bit: int
) -> None:
    coded = bytearray(SampleEncoder().encode(one, whole=True))
    coded[place % len(coded)] ^= 1 << bit
    for data in (noise, b"\0" + noise, bytes(coded)):
        try:
            SampleDecoder(None).decode(data)
        except CodecError:
            continue


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(FrameKind)), st.binary(max_size=40)), max_size=5),
    st.binary(max_size=30),
    st.integers(len(MAGIC), 400),
    st.integers(0, 400),
)
def test_frames_before_and_behind_damage_are_found(
    contents: list[tuple[FrameKind, bytes]], noise: bytes, place: int, length: int
) -> None:
    frames = [frame(kind, content) for kind, content in contents]
    data = MAGIC + b"".join(frames)
    begin = min(place, len(data))
    end = min(begin + length, len(data))
    damaged = data[:begin] + noise + data[end:]
    found = [part for part in split(damaged) if not isinstance(part, Damage)]
    edge, expected = len(MAGIC), []
    for coded, content in zip(frames, contents, strict=True):
        if damaged == data or edge + len(coded) <= begin or edge >= end:
            expected.append(content)
        edge += len(coded)
    # Noise that has a right checksum would be a frame; hypothesis finds none in any time.
    assert [(part.kind, part.content) for part in found] == expected
