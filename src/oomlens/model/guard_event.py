"""What the guard says of itself, one JSON object a line: read with every doubt, for names in it were chosen by processes.

What is missing or of another kind than it should be is None, never an error and never 0. `raw` has all that was said.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

SCHEMA = "oomlens/guard-event/1"
# Longer than any event: names are cut by the guard, candidates are five.
MOST_BYTES = 1 << 20
# What is kept of a list that should be short.
_MOST_ROWS = 50


class Bound(NamedTuple):
    """A figure that was compared with a bound, as `available_kb 46000 <= 47000`."""

    name: str
    value: float | None
    comparison: str
    bound: float | None


class Term(NamedTuple):
    """One of the reasons that a process ranked where it did."""

    name: str
    points: float


class PassedOver(NamedTuple):
    """A process that ranked higher and was not taken."""

    pid: int | None
    comm: str
    why: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process as the guard saw it."""

    pid: int | None = None
    start_ticks: int | None = None
    comm: str | None = None
    cmdline: str | None = None
    uid: int | None = None
    cgroup: str | None = None
    unit: str | None = None
    container: str | None = None
    oom_score_adj: int | None = None
    rss_kb: int | None = None
    swap_kb: int | None = None
    growth_kb_per_second: float | None = None
    points: float | None = None
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """One event. kind: its word (`decided`, `signalled`, …). time_seconds: of the epoch."""

    kind: str
    time_seconds: float | None = None
    pid: int | None = None
    scope: str | None = None
    digest: str | None = None
    dry_run: bool = False
    road: str | None = None
    evidence: tuple[Bound, ...] = ()
    sample: Mapping[str, float] = field(default_factory=dict)
    victim: Candidate | None = None
    object: str | None = None
    processes: int | None = None
    target_cgroup: str | None = None
    candidates: tuple[Candidate, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    signal: str | None = None
    after_ms: float | None = None
    freed_kb: int | None = None
    reason: str | None = None
    detail: str | None = None
    step: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


def event_of_line(line: bytes | str) -> GuardEvent | None:
    """The event of a line; None where the line is none: cut, damaged, or of something else."""
    if len(line) > MOST_BYTES:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event_of(entry)


def event_of(entry: Any) -> GuardEvent | None:
    """The event of a JSON value; None where it is none."""
    if not isinstance(entry, dict) or entry.get("schema") != SCHEMA:
        return None
    kind = text(entry.get("event"))
    if kind is None:
        return None
    return GuardEvent(
        kind=kind,
        time_seconds=_time(entry.get("time")),
        pid=integer(entry.get("pid")),
        scope=text(entry.get("scope")),
        digest=text(entry.get("digest")),
        dry_run=entry.get("dry_run") is True,
        road=text(entry.get("road")),
        evidence=tuple(_bounds(entry.get("evidence"))),
        sample=_figures(entry.get("sample")),
        victim=_candidate(entry.get("victim")),
        object=text(entry.get("object")),
        processes=integer(entry.get("processes")),
        target_cgroup=text(entry.get("target_cgroup")),
        candidates=tuple(found for row in _rows(entry.get("candidates")) if (found := _candidate(row)) is not None),
        passed_over=tuple(
            PassedOver(integer(row.get("pid")), text(row.get("comm")) or "?", text(row.get("why")) or "?")
            for row in _rows(entry.get("passed_over"))
            if isinstance(row, dict)
        ),
        signal=text(entry.get("signal")),
        after_ms=number(entry.get("after_ms")),
        freed_kb=integer(entry.get("freed_kb")),
        reason=text(entry.get("reason")),
        detail=text(entry.get("detail")),
        step=step if isinstance(step := entry.get("step"), dict) else {},
        raw=entry,
    )


def text(value: Any) -> str | None:
    """A text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def integer(value: Any) -> int | None:
    """A whole number of sane size, or None; true and false are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return integer(value)


def _time(value: Any) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _rows(value: Any) -> list[Any]:
    return value[:_MOST_ROWS] if isinstance(value, list) else []


def _bounds(value: Any) -> Iterator[Bound]:
    for row in _rows(value):
        if isinstance(row, dict) and (name := text(row.get("name"))) is not None:
            yield Bound(name, number(row.get("value")), text(row.get("comparison")) or "?", number(row.get("bound")))


def _figures(value: Any) -> dict[str, float]:
    entries = list(value.items())[:_MOST_ROWS] if isinstance(value, dict) else []
    return {name: figure for name, given in entries if (figure := number(given)) is not None}


def _candidate(value: Any) -> Candidate | None:
    if not isinstance(value, dict):
        return None
    return Candidate(
        pid=integer(value.get("pid")),
        start_ticks=integer(value.get("start_ticks")),
        comm=text(value.get("comm")),
        cmdline=text(value.get("cmdline")),
        uid=integer(value.get("uid")),
        cgroup=text(value.get("cgroup")),
        unit=text(value.get("unit")),
        container=text(value.get("container")),
        oom_score_adj=integer(value.get("oom_score_adj")),
        rss_kb=integer(value.get("rss_kb")),
        swap_kb=integer(value.get("swap_kb")),
        growth_kb_per_second=number(value.get("growth_kb_per_second")),
        points=number(value.get("points")),
        terms=tuple(_terms(value.get("terms"))),
    )


def _terms(value: Any) -> Iterator[Term]:
    for row in _rows(value):
        if isinstance(row, list) and len(row) == 2:
            name, points = text(row[0]), number(row[1])
            if name is not None and points is not None:
                yield Term(name, points)
