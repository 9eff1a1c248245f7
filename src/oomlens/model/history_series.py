"""Curves from samples: one figure of the machine, a cgroup or a process over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.model.history import CgroupFigures, Kill, ProcessFigures, Sample


class Point(NamedTuple):
    """A value at a time (of the epoch); where it was not known there is no point."""

    time_seconds: float
    value: float


Series = tuple[Point, ...]


def host_series(samples: Sequence[Sample], figure: str) -> Series:
    """A figure of `HostFigures` over time."""
    values = ((sample.time_seconds, getattr(sample.host, figure)) for sample in samples)
    return tuple(Point(time, value) for time, value in values if value is not None)


def cgroup_series(samples: Sequence[Sample], path: str, figure: str = "current_bytes") -> Series:
    """A figure of `CgroupFigures` over time; no point where the cgroup was not there, or not kept."""
    found: list[Point] = []
    for sample in samples:
        row = cgroup_in(sample, path)
        value = getattr(row, figure) if row is not None else None
        if value is not None:
            found.append(Point(sample.time_seconds, value))
    return tuple(found)


def process_series(
    samples: Sequence[Sample], pid: int, started_uptime_seconds: float, figure: str = "held_bytes"
) -> Series:
    """A figure of `ProcessFigures` over time, of one process by its identity within one boot."""
    found: list[Point] = []
    for sample in samples:
        row = process_in(sample, pid, started_uptime_seconds)
        value = getattr(row, figure) if row is not None else None
        if value is not None:
            found.append(Point(sample.time_seconds, value))
    return tuple(found)


def cgroup_in(sample: Sample, path: str) -> CgroupFigures | None:
    """The cgroup's row in a sample."""
    return next((row for row in sample.cgroups if row.path == path), None)


def process_in(sample: Sample, pid: int, started_uptime_seconds: float | None = None) -> ProcessFigures | None:
    """The process's row in a sample; with a start time (to a hundredth of a second), of exactly that process."""
    for row in sample.processes:
        if row.pid == pid:
            same = started_uptime_seconds is None or abs(row.started_uptime_seconds - started_uptime_seconds) < 0.011
            return row if same else None
    return None


def sample_before(samples: Sequence[Sample], time_seconds: float) -> Sample | None:
    """The last sample that was taken before a time, by the wall clock."""
    return next((sample for sample in reversed(samples) if sample.time_seconds <= time_seconds), None)


def kill_of(kills: Sequence[Kill], report_id: str) -> Kill | None:
    """The kill whose report has this id."""
    return next((kill for kill in kills if kill.report is not None and kill.report.id == report_id), None)
