"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from oomlens.model.history_series import Point

_LEVELS = "▁▂▃▄▅▆▇█"


def columns_of(series: Sequence[Point], first: float, last: float, count: int) -> list[float | None]:
    """The curve cut into so many equal spans of time: the last value of each.

    None where there is none: before the first, and in holes that are much longer than the usual time between two points.
    """
    found: list[float | None] = [None] * count
    span = max(last - first, 1e-9)
    inside = [point for point in series if first <= point.time_seconds <= last]
    steps = sorted(later.time_seconds - earlier.time_seconds for earlier, later in pairwise(inside))
    usual = max(4 * steps[len(steps) // 2], 2 * span / count) if steps else 0.0
    for place, point in enumerate(inside):
        begin = _column(point, first, span, count)
        end = begin
        if place + 1 < len(inside) and inside[place + 1].time_seconds - point.time_seconds <= usual:
            end = max(begin, _column(inside[place + 1], first, span, count) - 1)
        found[begin : end + 1] = [point.value] * (end + 1 - begin)
    return found


def _column(point: Point, first: float, span: float, count: int) -> int:
    return min(int((point.time_seconds - first) / span * count), count - 1)


def sparkline(series: Sequence[Point], first: float, last: float, count: int = 60, *, top: float | None = None) -> str:
    """The curve from 0 to its highest value, or to `top`; a blank where nothing is known."""
    values = columns_of(series, first, last, count)
    highest = top if top is not None else max((value for value in values if value is not None), default=0.0)
    if highest <= 0:
        return "".join(" " if value is None else _LEVELS[0] for value in values)
    return "".join(
        " " if value is None else _LEVELS[min(int(max(value, 0.0) / highest * len(_LEVELS)), len(_LEVELS) - 1)]
        for value in values
    )
