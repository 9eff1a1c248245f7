"""The past of an incident, taken from a recorded history: curves and what they look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from oomlens.model.evidence import Evidence
from oomlens.model.history_series import Point


class Shape(StrEnum):
    """What a curve looks like up to the kill."""

    LEAK = "leak"  # steady growth over a long time
    BURST = "burst"  # most of it in the last minute
    GROWTH = "growth"  # it grew, neither steadily for long nor at once
    LEVEL = "level"  # it held about the same
    FALL = "fall"  # it held less than before
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure up to the kill.

    subject: "process", "cgroup" or "machine"; name: which one. figure: which of its figures, such as `held_bytes`.
    points: times of the epoch and bytes; the last may come from the kernel's report itself. top_bytes: the limit, or the RAM.
    bytes_per_second: a robust trend over the span; None where there is none.
    reason: why the shape is unknown, kebab-case.
    """

    subject: str
    name: str
    figure: str
    points: tuple[Point, ...]
    shape: Shape
    evidence: tuple[Evidence, ...] = ()
    bytes_per_second: float | None = None
    top_bytes: int | None = None
    reason: str | None = None

    @property
    def span_seconds(self) -> float:
        """From the first point to the last."""
        return self.points[-1].time_seconds - self.points[0].time_seconds if self.points else 0.0

    @property
    def grown_bytes(self) -> int | None:
        """From the first point to the last."""
        return int(self.points[-1].value - self.points[0].value) if self.points else None


@dataclass(frozen=True, slots=True)
class Started:
    """A process that began shortly before the kill. seconds_before: how long before it."""

    pid: int
    comm: str
    seconds_before: float
    held_bytes: int | None
    cgroup: str | None


@dataclass(frozen=True, slots=True)
class Grower:
    """What grew in the time before the kill. subject: "process" or "cgroup"."""

    subject: str
    name: str
    grown_bytes: int
    held_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Past:
    """What was recorded up to a kill.

    kill_seconds: of the epoch. before_seconds: how long before it the last sample was taken. samples: how many, thinned ones too.
    recorded: whether the recorder saw this very kill. whole: whether the snapshot before it was kept, so that `started` is complete.
    containers: what containers were called, by cgroup path.
    verdict: shape of the victim, else of the cgroup, else of the machine.
    """

    kill_seconds: float
    before_seconds: float
    samples: int
    recorded: bool
    whole: bool
    victim: Curve | None
    cgroup: Curve | None
    machine: Curve | None
    verdict: Shape
    started: tuple[Started, ...] = ()
    growers: tuple[Grower, ...] = ()
    containers: tuple[tuple[str, str], ...] = ()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Those that there are."""
        return tuple(curve for curve in (self.victim, self.cgroup, self.machine) if curve is not None)


def past_to_dict(past: Past) -> dict[str, Any]:
    """The past as JSON values (key `history` of a diagnosis)."""
    return {
        "kill_seconds": past.kill_seconds,
        "before_seconds": past.before_seconds,
        "samples": past.samples,
        "recorded": past.recorded,
        "whole": past.whole,
        "verdict": past.verdict.value,
        "victim": _curve(past.victim),
        "cgroup": _curve(past.cgroup),
        "machine": _curve(past.machine),
        "started": [
            {"pid": one.pid, "comm": one.comm, "seconds_before": one.seconds_before, "held_bytes": one.held_bytes, "cgroup": one.cgroup}
            for one in past.started
        ],
        "growers": [
            {"subject": one.subject, "name": one.name, "grown_bytes": one.grown_bytes, "held_bytes": one.held_bytes, "seconds": one.seconds}
            for one in past.growers
        ],
        "containers": dict(past.containers),
    }  # fmt: skip


def _curve(curve: Curve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "subject": curve.subject,
        "name": curve.name,
        "figure": curve.figure,
        "shape": curve.shape.value,
        "reason": curve.reason,
        "span_seconds": curve.span_seconds,
        "grown_bytes": curve.grown_bytes,
        "bytes_per_second": curve.bytes_per_second,
        "top_bytes": curve.top_bytes,
        "evidence": [evidence._asdict() for evidence in curve.evidence],
        "points": [[point.time_seconds, point.value] for point in curve.points],
    }


def with_names(past: Past, path: Callable[[str], str], container: Callable[[str], str]) -> Past:
    """The past with its cgroup paths and container names replaced, for sharing."""

    def curve(one: Curve | None) -> Curve | None:
        return replace(one, name=path(one.name)) if one is not None and one.subject == "cgroup" else one

    machine = replace(past.machine, name="") if past.machine is not None else None
    return replace(
        past,
        victim=past.victim,
        cgroup=curve(past.cgroup),
        machine=machine,
        started=tuple(
            replace(one, cgroup=path(one.cgroup) if one.cgroup is not None else None) for one in past.started
        ),
        growers=tuple(replace(one, name=path(one.name)) if one.subject == "cgroup" else one for one in past.growers),
        containers=tuple((path(place), container(name)) for place, name in past.containers),
    )
