"""The guard's state.json in the Prometheus text format. What is not known has no line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oomlens.model.guard_event import integer, number, text
from oomlens.render.prometheus import Metric, exposed

_MOST_SCOPES = 500
# Of state.json's counts: name, help.
_COUNTS = {
    "wakeups": "Times that the guard woke up.",
    "warnings": "Warnings that memory will run out.",
    "decisions": "Decisions to act.",
    "term": "SIGTERM that the guard sent.",
    "kill": "SIGKILL that the guard sent.",
    "gone": "Victims that ended.",
    "stuck": "Victims that did not end in time.",
    "held_back": "Times that nobody was killed although memory was low.",
    "kernel_kills": "Kills by the kernel while the guard ran.",
    "log_lost": "Events that could not be written to the log.",
}
# A scope's figures: key, metric, factor, help.
_GAUGES = (
    ("available_kb", "oomlens_guard_available_bytes", 1024, "Memory that is available in a scope."),
    ("total_kb", "oomlens_guard_total_bytes", 1024, "All memory of a scope."),
    ("swap_free_kb", "oomlens_guard_swap_free_bytes", 1024, "Free swap of a scope."),
    ("fill_kb_per_second", "oomlens_guard_fill_bytes_per_second", 1024, "How fast a scope fills."),
    ("seconds_left", "oomlens_guard_left_seconds", 1, "Time until a scope has no memory at this rate."),
)
_LEVELS = ("calm", "warn", "low")


def exposition(state: Mapping[str, Any] | None, *, up: bool) -> str:
    """The whole page. state: as it was last written, None where there is none. up: whether it is of a guard that runs."""
    return exposed(_metrics(state or {}, up))


def _metrics(state: Mapping[str, Any], up: bool) -> Iterator[Metric]:
    yield Metric("oomlens_guard_up", "gauge", "Whether the guard runs and writes its state.", (({}, int(up)),))
    counts = state.get("counts")
    counts = counts if isinstance(counts, dict) else {}
    for name, told in _COUNTS.items():
        yield Metric(f"oomlens_guard_{name}_total", "counter", told, (({}, integer(counts.get(name))),))
    scopes = state.get("scopes")
    rows = [row for row in (scopes if isinstance(scopes, list) else [])[:_MOST_SCOPES] if isinstance(row, dict)]
    named = {scope: row for row in rows if (scope := text(row.get("name"))) is not None}
    for key, metric, factor, told in _GAUGES:
        values = {name: number(row.get(key)) for name, row in named.items()}
        series = tuple(({"scope": name}, None if value is None else value * factor) for name, value in values.items())
        yield Metric(metric, "gauge", told, series)
    levels = tuple(
        ({"scope": name, "level": level}, int(row["level"] == level))
        for name, row in named.items()
        if row.get("level") in _LEVELS
        for level in _LEVELS
    )
    yield Metric("oomlens_guard_level", "gauge", "1 at the level that a scope is at.", levels)
