"""The flight recorder's samples -> how the use of a scope went, and when its distance is used up if it goes on so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from oomlens.model.history import CgroupFigures, HostFigures, Sample
from oomlens.model.prediction import ScopePrediction, When
from oomlens.model.report import Scope
from oomlens.predict.trend import Point, trend_of, used_up

# A sample that is not there for so large a part of the time: what was before tells nothing of now.
_HOLE_SHARE = 0.25
# A kill in a cgroup hardly moves the machine; one that gives so much of the memory back ends a growth.
_RELIEF_SHARE = 0.05


class Row(NamedTuple):
    """A sample with its cgroups by path."""

    sample: Sample
    cgroups: Mapping[str, CgroupFigures]


class _State(NamedTuple):
    """What was in use at a time, and what must stay the same for the points to be of one growth.

    frame: the boot and the limits. kills: the scope's own count, None where it has none.
    """

    time_seconds: float
    bytes: int
    frame: tuple[object, ...]
    kills: int | None


def with_when(predictions: Sequence[ScopePrediction], samples: Sequence[Sample]) -> tuple[ScopePrediction, ...]:
    """The predictions, each with when it happens where the past shows growth.

    samples: in the order of time, the last of them of the moment of the prediction.
    """
    rows = [Row(sample, {row.path: row for row in sample.cgroups}) for sample in samples]
    return tuple(replace(prediction, when=when_of(prediction, rows)) for prediction in predictions)


def when_of(prediction: ScopePrediction, rows: Sequence[Row]) -> When | None:
    """When the scope's distance is used up; None where nothing grows, the past does not tell, or the distance is not known."""
    room = prediction.distance_bytes
    if room is None or prediction.scope not in (Scope.GLOBAL, Scope.MEMCG):
        return None
    trend = trend_of(use_of(rows, prediction.path if prediction.scope is Scope.MEMCG else None))
    left = used_up(trend, room)
    if trend is None or left is None:
        return None
    return When(
        seconds=left.seconds,
        seconds_low=left.earliest_seconds,
        seconds_high=left.latest_seconds,
        slope_bytes_per_second=trend.slope,
        slope_bytes_per_second_low=trend.low,
        slope_bytes_per_second_high=trend.high,
        points=trend.points,
        span_seconds=trend.span_seconds,
    )


def use_of(rows: Sequence[Row], path: str | None) -> list[Point]:
    """What a cgroup, or the machine (None), had in use that cannot simply be dropped: memory and swap.

    Only since the last boot, the last change of a limit, the last kill and the last long time without samples.
    """
    states = list(_machine(rows) if path is None else _cgroup(rows, path))
    if not states:
        return []
    hole = (states[-1].time_seconds - states[0].time_seconds) * _HOLE_SHARE
    begin = 0
    for index in range(1, len(states)):
        before, now = states[index - 1], states[index]
        if now.frame != before.frame or now.kills != before.kills or now.time_seconds - before.time_seconds > hole:
            begin = index
    return [(state.time_seconds, float(state.bytes)) for state in states[begin:]]


def _machine(rows: Sequence[Row]) -> Iterator[_State]:
    relieved, before = 0, None
    for sample, _ in rows:
        host = sample.host
        used = _used(host)
        if used is None:
            continue
        if before is not None and host.total_bytes is not None:
            fell = (_used(before) or 0) - used > host.total_bytes * _RELIEF_SHARE
            relieved += fell and (host.oom_kills or 0) > (before.oom_kills or 0)
        before = host
        yield _State(sample.time_seconds, used, (sample.boot_id, host.total_bytes, host.swap_total_bytes), relieved)


def _used(host: HostFigures) -> int | None:
    total, available, swap, free = host.total_bytes, host.available_bytes, host.swap_total_bytes, host.swap_free_bytes
    if total is None or available is None or swap is None or free is None:
        return None
    return total - available + swap - free


def _cgroup(rows: Sequence[Row], path: str) -> Iterator[_State]:
    """A cgroup that was not there for a while is another one of the same name."""
    lives, there = 0, False
    for sample, cgroups in rows:
        row = cgroups.get(path)
        if row is None:
            lives, there = lives + there, False
            continue
        there = True
        if row.held_bytes is None:
            continue
        frame = (sample.boot_id, row.max_bytes, row.swap_max_bytes, sample.host.swap_total_bytes, lives)
        yield _State(sample.time_seconds, row.held_bytes + (row.swap_current_bytes or 0), frame, row.oom_kills)
