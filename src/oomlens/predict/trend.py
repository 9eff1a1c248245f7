"""A robust trend of values over time, silent where there is none. Source: Theil 1950, Sen 1968."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]  # (seconds, value)

FEWEST_POINTS = 8
_MOST_POINTS = 30
_FEWEST_SECONDS = 10.0
_Z_90_PERCENT = 1.645


class Trend(NamedTuple):
    """Change per second: the median of all pairs' slopes, and the range that holds it in 9 of 10 cases."""

    per_second: float
    low: float
    high: float


class Eta(NamedTuple):
    """When something comes to 0: seconds from now, and the range; latest_seconds None: beyond what can be said."""

    seconds: float
    earliest_seconds: float
    latest_seconds: float | None


# Nothing is said about what would take longer: a trend of minutes does not tell of days.
HORIZON_SECONDS = 24 * 3600.0


def trend_of(points: Sequence[Point]) -> Trend | None:
    """The trend of the points, ordered by time; None where they are too few, too short, or go both ways."""
    chosen = _spread(points)
    if len(chosen) < FEWEST_POINTS or chosen[-1][0] - chosen[0][0] < _FEWEST_SECONDS:
        return None
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for number, later in enumerate(chosen)
        for earlier in chosen[:number]
        if later[0] > earlier[0]
    )
    count, number = len(slopes), len(chosen)
    margin = _Z_90_PERCENT * math.sqrt(number * (number - 1) * (2 * number + 5) / 18)
    low = slopes[max(0, math.floor((count - margin) / 2))]
    high = slopes[min(count - 1, math.ceil((count + margin) / 2))]
    if low <= 0 <= high:
        return None
    return Trend((slopes[(count - 1) // 2] + slopes[count // 2]) / 2, low, high)


def _spread(points: Sequence[Point]) -> Sequence[Point]:
    """So many of them as can be compared in pairs quickly, evenly chosen, the last one among them."""
    step = -(-len(points) // _MOST_POINTS)
    return points if step <= 1 else points[(len(points) - 1) % step :: step]


def zero_at(value: float, trend: Trend | None) -> Eta | None:
    """When a falling value is used up; None where it does not fall, or later than the horizon."""
    if trend is None or trend.per_second >= 0 or value <= 0:
        return None
    seconds = value / -trend.per_second
    if seconds > HORIZON_SECONDS:
        return None
    latest = value / -trend.high if trend.high < 0 else math.inf
    return Eta(seconds, value / -trend.low, latest if latest <= HORIZON_SECONDS else None)
