"""Values over time in little memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from oomlens.predict.trend import Point

_HOLDS = 3.0  # usual distances
_SPACING = 24.0  # of a full series: distance between two values, as a share of their age, times its length


class Series:
    """Values by time; when it is full, older ones are kept the sparser the older they are.

    An unknown value (None) is kept as a hole. Times are seconds and must not run backwards; one that does is left out.
    """

    __slots__ = ("_most", "_times", "_values")

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._times = array("d")
        self._values = array("d")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, at: float, value: float | None) -> None:
        """The value at a time."""
        if self._times and at <= self._times[-1]:
            return
        self._times.append(at)
        self._values.append(math.nan if value is None else value)
        if len(self._times) > self._most:
            self._thin()

    def put_before(self, points: Iterable[Point]) -> None:
        """Older values, ordered by time; those not older than what is here are left out."""
        first = self._times[0] if self._times else math.inf
        older = [point for point in points if point[0] < first]
        self._times = array("d", [at for at, _ in older]) + self._times
        self._values = array("d", [value for _, value in older]) + self._values
        if len(self._times) > self._most:
            self._thin()

    def _thin(self) -> None:
        """Keeps the oldest, the newest, and between them distances that grow with age, so that any span has a shape."""
        now, apart = self._times[-1], _SPACING / self._most
        kept = [0]
        for place in range(1, len(self._times) - 1):
            at = self._times[place]
            # The older of two that are too near stays, so that what is left of the past is not lost at once.
            if at - self._times[kept[-1]] >= (now - at) * apart:
                kept.append(place)
        kept.append(len(self._times) - 1)
        if len(kept) > self._most:
            half = self._most // 2
            kept = kept[:half:2] + kept[half:]
        self._times = array("d", [self._times[place] for place in kept])
        self._values = array("d", [self._values[place] for place in kept])

    def last(self) -> float | None:
        """The newest value; None where it is unknown."""
        return None if not self._values or math.isnan(self._values[-1]) else self._values[-1]

    def since(self, at: float) -> list[Point]:
        """The known values from a time on."""
        first = bisect_left(self._times, at)
        pairs = zip(self._times[first:], self._values[first:], strict=True)
        return [(time, value) for time, value in pairs if not math.isnan(value)]

    def latest(self, seconds: float, least: int) -> list[Point]:
        """The known values of the last so many seconds, or at least so many where they are further apart."""
        if not self._times:
            return []
        first = min(bisect_left(self._times, self._times[-1] - seconds), max(0, len(self._times) - least))
        return self.since(self._times[first])

    def per_second(self, seconds: float) -> float | None:
        """Average change over the last so many seconds; None where there are not two known values."""
        points = self.latest(seconds, 2)
        if len(points) < 2 or math.isnan(self._values[-1]):
            return None
        (first_at, first), (last_at, last) = points[0], points[-1]
        return (last - first) / (last_at - first_at)

    def buckets(self, end: float, seconds: float, count: int) -> list[float | None]:
        """The largest value in each of `count` equal parts of the time before `end`; None where nothing is known.

        A value holds until the next one, but not across an unknown one, nor for much longer than values are apart there.
        """
        found: list[float | None] = [None] * count
        begin = end - seconds
        first = max(0, bisect_left(self._times, begin) - 1)  # the one before holds on
        times = self._times[first:]
        distances = sorted(later - earlier for earlier, later in pairwise(times))
        usual = _HOLDS * distances[len(distances) // 2] if distances else 0.0
        before: tuple[float, int, float] | None = None  # time, place, value
        for at, value in zip(times, self._values[first:], strict=True):
            if math.isnan(value):
                before = None
                continue
            place = min(count - 1, math.floor((at - begin) / seconds * count))
            if before is not None and at - before[0] <= max(usual, (end - before[0]) * _HOLDS * _SPACING / self._most):
                for hole in range(max(0, before[1] + 1), place):
                    found[hole] = before[2]
            if place >= 0:
                held = found[place]
                found[place] = value if held is None else max(held, value)
            before = at, place, value
        return found
