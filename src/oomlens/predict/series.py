"""Values over time in little memory."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from oomlens.predict.trend import Point

_HOLDS = 3.0


class Series:
    """Values by time; when it is full, the older half is kept at half the resolution, again and again.

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
            half = self._most // 2
            self._times = self._times[:half:2] + self._times[half:]
            self._values = self._values[:half:2] + self._values[half:]

    def put_before(self, points: Iterable[Point]) -> None:
        """Older values, ordered by time; those not older than what is here are left out."""
        first = self._times[0] if self._times else math.inf
        older = [point for point in points if point[0] < first]
        step = max(1, -(-len(older) // max(1, self._most - len(self._times))))
        older = older[(len(older) - 1) % step :: step] if older else []
        self._times = array("d", [at for at, _ in older]) + self._times
        self._values = array("d", [value for _, value in older]) + self._values

    def last(self) -> float | None:
        """The newest value; None where it is unknown."""
        return None if not self._values or math.isnan(self._values[-1]) else self._values[-1]

    def since(self, at: float) -> list[Point]:
        """The known values from a time on."""
        first = bisect_left(self._times, at)
        pairs = zip(self._times[first:], self._values[first:], strict=True)
        return [(time, value) for time, value in pairs if not math.isnan(value)]

    def per_second(self, seconds: float) -> float | None:
        """Average change over the last so many seconds; None where there are not two known values."""
        if len(self._times) < 2:
            return None
        points = self.since(self._times[-1] - seconds)
        if len(points) < 2 or math.isnan(self._values[-1]):
            return None
        (first_at, first), (last_at, last) = points[0], points[-1]
        return (last - first) / (last_at - first_at)

    def buckets(self, end: float, seconds: float, count: int) -> list[float | None]:
        """The largest value in each of `count` equal parts of the time before `end`; None where nothing is known.

        A value holds until the next one, but not for longer than a few times the usual distance between two.
        """
        found: list[float | None] = [None] * count
        begin = end - seconds
        points = self.since(begin)
        distances = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
        longest = _HOLDS * distances[len(distances) // 2] if distances else 0.0
        before: tuple[float, int] | None = None  # time and place
        for at, value in points:
            place = max(0, min(count - 1, int((at - begin) / seconds * count)))
            if before is not None and at - before[0] <= longest:
                for hole in range(before[1] + 1, place):
                    found[hole] = found[before[1]]
            held = found[place]
            found[place] = value if held is None else max(held, value)
            before = at, place
        return found
