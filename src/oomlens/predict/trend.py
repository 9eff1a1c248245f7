"""Is it growing, how fast, and for how long will the room last? Nothing is said where the past does not answer.

The slope is Theil and Sen's: the median of the slopes between all pairs of points, which single bursts and drops do not move.
Its interval needs no distribution: it counts rising and falling pairs (Kendall). As values of memory hang together with their
neighbours, it also holds the slopes between eight neighbouring parts of the time, but for the flattest and the steepest one:
what has not risen in all but one of them is no growth (a sign test, 93 %).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

# 95 %, both sides together.
_Z = 1.959964
# Pairs grow with the square: 48 points are 1128 slopes.
_MOST_POINTS = 48
FEWEST_POINTS = 10
_PARTS = 9
_SHORTEST_SECONDS = 10.0
_TICK_SECONDS = 1e-3
# An interval that begins below such a part of its slope says no more than that it may rise.
_LEAST_SHARE = 0.1
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

    It is that of the whole time, else of its last half, quarter and so on, the longest that shows one; there it counts only above
    all that was there before: below, it is one of those rises that ended by themselves. Every shorter time must agree with it;
    where one clearly rises less or more, that counts.
    """
    begin = 0
    while (found := _fit(_thinned(points[begin:]))) is not None:
        if found.low <= max(0.0, found.slope * _LEAST_SHARE):
            begin = _half(points, begin)
            continue
        if begin and points[-1][1] <= max(value for _, value in points[:begin]):
            return None
        other = _disagreeing(points, begin, found)
        if other is None:
            return found
        begin = other
    return None


def _disagreeing(points: Sequence[Point], begin: int, found: Trend) -> int | None:
    """Where the longest of the later times begins that clearly rises less or more."""
    while True:
        begin = _half(points, begin)
        later = _fit(_thinned(points[begin:]))
        if later is None:
            return None
        if later.low > found.high or later.high < found.slope:
            return begin


def _half(points: Sequence[Point], begin: int) -> int:
    """Where the last half of the time since then begins; behind the end where there is no time left."""
    if begin >= len(points):
        return begin
    middle = (points[begin][0] + points[-1][0]) / 2
    return next((index for index in range(begin, len(points)) if points[index][0] > middle), len(points))


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
    return [_middle(part) for part in parts.values()]


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
    first = math.floor((len(slopes) - _Z * math.sqrt(_variance(points))) / 2) - 1
    if first < 0:
        return None
    rates = _rates(points)
    rest = [value - slope * (at - points[0][0]) for at, value in points]
    return Trend(
        slope=slope,
        low=min(slopes[first], rates[1]),
        high=max(slopes[len(slopes) - 1 - first], rates[-2]),
        peak=max(rest) - rest[-1],
        points=len(points),
        span_seconds=span,
    )


def _rates(points: Sequence[Point]) -> list[float]:
    """The slopes between the medians of nine equal parts, sorted."""
    bounds = [len(points) * part // _PARTS for part in range(_PARTS + 1)]
    middles = [_middle(points[begin:end]) for begin, end in pairwise(bounds)]
    return sorted(
        (second[1] - first[1]) / max(second[0] - first[0], _TICK_SECONDS) for first, second in pairwise(middles)
    )


def _middle(points: Sequence[Point]) -> Point:
    return _median([at for at, _ in points]), _median(sorted(value for _, value in points))


def _variance(points: Sequence[Point]) -> float:
    """Of the number of rising less falling pairs, among values without a trend; equal values lessen it."""
    count = len(points)
    equals: dict[float, int] = {}
    for point in points:
        equals[point[1]] = equals.get(point[1], 0) + 1
    tied = sum(each * (each - 1) * (2 * each + 5) for each in equals.values())
    return max(0.0, (count * (count - 1) * (2 * count + 5) - tied) / 18)
