"""Is it growing, how fast, and for how long will the room last? Nothing is said where the past does not answer.

The slope is Theil and Sen's: the median of the slopes between all pairs of points, which single bursts and drops do not move.
Its interval needs no distribution: it counts rising and falling pairs (Kendall), and is widened where neighbouring values
hang together, which memory does (Hamed and Rao, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

# 95 %, both sides together.
_Z = 1.959964
# Pairs grow with the square: 48 points are 1128 slopes.
_MOST_POINTS = 48
FEWEST_POINTS = 10
_SHORTEST_SECONDS = 10.0
_TICK_SECONDS = 1e-3
# Nothing is foretold further ahead than so many times what was seen.
_FARTHEST = 20


Point = tuple[float, float]  # (seconds, what was in use)


class Trend(NamedTuple):
    """A slope, of a second, with its interval. peak: how much higher above its line than now the use has been; never below 0."""

    slope: float
    low: float
    high: float
    peak: float
    points: int
    span_seconds: float


class Eta(NamedTuple):
    """When the room is used up: seconds from now, with the interval; latest_seconds None: later than can be foretold."""

    seconds: float
    earliest_seconds: float
    latest_seconds: float | None


def trend_of(points: Sequence[Point]) -> Trend | None:
    """The growth that goes on now, by points in the order of time; None where there is none, or the past does not tell.

    The last half of the time, the last quarter and so on must agree with the whole. The first that clearly does not, because it
    rises less or more, counts instead; but a faster rise counts only above all that was there before: below, it is one of those
    that ended by themselves.
    """
    whole = _fit(_thinned(points))
    if whole is None:
        return None
    later = _last_half(points)
    while (recent := _fit(_thinned(later))) is not None:
        if recent.low > whole.high:
            before = max(point[1] for point in points if point[0] < later[0][0])
            return trend_of(later) if later[-1][1] > before else None
        if recent.high < whole.slope:
            return trend_of(later)
        later = _last_half(later)
    return whole if whole.low > 0 else None


def _last_half(points: Sequence[Point]) -> Sequence[Point]:
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] > middle]


def used_up(trend: Trend | None, room: float) -> Eta | None:
    """When the room is used up if it goes on so; None without a trend, or where it is too far off to be foretold.

    The early end is for the fastest growth of the interval, and a peak as high above the line as there was one.
    """
    if trend is None:
        return None
    farthest, left = _FARTHEST * trend.span_seconds, max(0.0, room)
    earliest, latest = max(0.0, left - trend.peak) / trend.high, left / trend.low
    if earliest > farthest:
        return None
    return Eta(left / trend.slope, earliest, latest if latest <= farthest else None)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most 48 points: the medians of equal parts of the time."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    begin, span = points[0][0], points[-1][0] - points[0][0]
    if span <= 0:
        return [points[-1]]
    parts: dict[int, list[Point]] = {}
    for point in points:
        part = min(_MOST_POINTS - 1, int((point[0] - begin) / span * _MOST_POINTS))
        parts.setdefault(part, []).append(point)
    return [(_median([at for at, _ in part]), _median(sorted(value for _, value in part))) for part in parts.values()]


def _median(ordered: Sequence[float]) -> float:
    """Of values that are sorted already; the standard library's would import a quarter of it."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _fit(points: Sequence[Point]) -> Trend | None:
    """The slope and its interval, whatever its sign; None for too few points or too short a time."""
    span = points[-1][0] - points[0][0] if points else 0.0
    if len(points) < FEWEST_POINTS or span < _SHORTEST_SECONDS:
        return None
    slopes = sorted(
        (second[1] - first[1]) / (second[0] - first[0])
        for first, second in combinations(points, 2)
        if second[0] - first[0] > _TICK_SECONDS
    )
    slope = _median(slopes)
    rest = [point[1] - slope * (point[0] - points[0][0]) for point in points]
    wide = _Z * math.sqrt(_variance(points) * _persistence(rest))
    first = math.floor((len(slopes) - wide) / 2) - 1
    if first < 0:
        return None
    return Trend(
        slope=slope,
        low=slopes[first],
        high=slopes[len(slopes) - 1 - first],
        peak=max(rest) - rest[-1],
        points=len(points),
        span_seconds=span,
    )


def _variance(points: Sequence[Point]) -> float:
    """Of the number of rising less falling pairs, among values without a trend; equal values lessen it."""
    count = len(points)
    equals: dict[float, int] = {}
    for point in points:
        equals[point[1]] = equals.get(point[1], 0) + 1
    tied = sum(each * (each - 1) * (2 * each + 5) for each in equals.values())
    return max(0.0, (count * (count - 1) * (2 * count + 5) - tied) / 18)


def _persistence(rest: Sequence[float]) -> float:
    """By how much the variance is larger because neighbours hang together: 1 where they do not.

    rest: what is left without the trend. Correlations of its ranks count where they are not chance, 1.96 / sqrt(n).
    """
    count = len(rest)
    ranks = _ranks(rest)
    mean = (count + 1) / 2
    spread = sum((rank - mean) ** 2 for rank in ranks)
    if spread == 0:
        return 1.0
    total = 0.0
    for lag in range(1, count // 2):
        together = sum((ranks[i] - mean) * (ranks[i + lag] - mean) for i in range(count - lag)) / spread
        if abs(together) > _Z / math.sqrt(count):
            total += (count - lag) * (count - lag - 1) * (count - lag - 2) * together
    return max(1.0, 1 + 2 * total / (count * (count - 1) * (count - 2)))


def _ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest; equals share the mean of their places."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    place = 0
    while place < len(order):
        end = place
        while end < len(order) and values[order[end]] == values[order[place]]:
            end += 1
        for index in order[place:end]:
            ranks[index] = (place + 1 + end) / 2
        place = end
    return ranks
