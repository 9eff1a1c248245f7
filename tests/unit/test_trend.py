"""The trend of memory: slope and interval by hand, silence where there is none, and nothing ever raised."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.predict.trend import Eta, Point, Trend, _persistence, trend_of, used_up

MIB = 1 << 20


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable on purpose


def series(*values: float, every: float = 10.0) -> list[Point]:
    return [(number * every, value) for number, value in enumerate(values)]


def test_a_straight_line_is_its_own_interval() -> None:
    found = trend_of(series(*(5000 + 1000 * number for number in range(10))))
    assert found == Trend(100.0, 100.0, 100.0, 0, 10, 90.0)


def test_one_burst_moves_neither_slope_nor_interval() -> None:
    # 9 of the 45 slopes have the burst in them: 4 are far below 100, 5 far above. The interval is from the 11th to the 35th.
    values = [1000 * number for number in range(10)]
    values[5] += 50_000
    found = trend_of(series(*values))
    assert found is not None
    assert (found.slope, found.low, found.high, found.peak) == (100.0, 100.0, 100.0, 50_000)


def test_the_interval_is_between_the_slopes_of_kendalls_ranks() -> None:
    # Every second value is 200 higher. Of the 45 slopes 10 are below 100, 20 are 100, and above are 100 + 200 / (10 k)
    # for k = 9, 7, 5, 3, 1 with 1, 2, 3, 4, 5 of them. (45 - 1.96 * sqrt(125)) / 2 = 11.5: from the 11th to the 11th from above.
    found = trend_of(series(*(1000 * number + number % 2 * 200 for number in range(10))))
    assert found is not None
    assert (found.slope, found.low, found.high) == (100.0, 100.0, 104.0)


def test_neighbours_that_hang_together_widen_the_interval() -> None:
    # Ranks 1 to 10: the correlation of neighbours is 57.75 / 82.5 = 0.7, the others are chance: 1 + 2 * 9*8*7 * 0.7 / 720.
    assert _persistence([float(number) for number in range(10)]) == pytest.approx(1.98)
    assert _persistence([3.0] * 10) == 1.0


@pytest.mark.parametrize(
    "points",
    [
        [],
        series(1, 2, 3),
        series(*range(9)),  # too few
        series(*range(10), every=1.0),  # 9 seconds are too short
        series(*[7] * 30),  # nothing moves
        series(*(-number for number in range(30))),  # it shrinks
        series(*(chance(1).sample(range(1000), 30))),  # noise
        [(5.0, number) for number in range(30)],  # the clock stands still
    ],
)
def test_silence_where_there_is_no_trend(points: list[Point]) -> None:
    assert trend_of(points) is None


def test_a_step_is_no_growth() -> None:
    noise = chance(2)
    values = [(100 if number < 40 else 300) * MIB + noise.randint(0, MIB) for number in range(100)]
    found = trend_of(series(*values))
    # What is left of it is noise that would need ages.
    assert used_up(found, 1 << 30) is None


def test_growth_that_has_stopped_is_not_told() -> None:
    noise = chance(3)
    values = [min(number, 60) * MIB + noise.randint(0, MIB // 8) for number in range(100)]
    found = trend_of(series(*values))
    assert used_up(found, 1 << 30) is None


def test_growth_that_has_just_begun_counts_from_where_it_began() -> None:
    noise = chance(4)
    values = [max(0, number - 250) * MIB + noise.randint(0, MIB) for number in range(360)]
    found = trend_of(series(*values))
    assert found is not None
    # A MiB in ten seconds; the whole time would have said less than a third of it.
    assert found.slope == pytest.approx(MIB / 10, rel=0.05)
    assert found.span_seconds < 1100


def test_a_rise_below_what_was_there_before_is_one_of_those_that_end() -> None:
    """A heap that is collected again and again: it rises most of the time and grows never."""
    values = [(number % 60) * 3 * MIB for number in range(350)]
    assert values[-1] < max(values)
    assert trend_of(series(*values)) is None


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (10_000, Eta(100.0, 45.0, 200.0)),  # (10000 - 1000) / 200, 10000 / 100, 10000 / 50
        (150_000, Eta(1500.0, 745.0, None)),  # 3000 s are more than 20 times the 100 s that were seen
        (1_000_000, None),  # 4995 s at the earliest
        (500, Eta(5.0, 0.0, 10.0)),  # the next peak may be it
        (-5, Eta(0.0, 0.0, 0.0)),
    ],
)
def test_how_long_the_room_lasts(room: int, expected: Eta | None) -> None:
    assert used_up(Trend(100.0, 50.0, 200.0, 1000, 10, 100.0), room) == expected


_POINTS = st.lists(st.tuples(st.floats(0, 1e10, allow_nan=False), st.integers(0, 1 << 50)), max_size=120).map(
    lambda pairs: [(at, float(value)) for at, value in sorted(pairs)]
)


@given(_POINTS)
def test_anything_gives_a_rising_interval_or_silence(points: list[Point]) -> None:
    found = trend_of(points)
    if found is not None:
        assert 0 < found.low <= found.slope <= found.high
        assert found.peak >= 0
        assert math.isfinite(found.high)


@given(st.integers(0, 1 << 31), st.integers(1, 1 << 30), st.integers(10, 400), st.integers(0, 1 << 40))
def test_a_straight_line_is_found_wherever_it_stands(begin: int, slope: int, count: int, base: int) -> None:
    found = trend_of([(begin + 10.0 * number, base + slope * 10 * number) for number in range(count)])
    assert found is not None
    assert found.slope == pytest.approx(slope, rel=0.02, abs=0.5)


def test_a_long_history_costs_no_more_than_a_short_one() -> None:
    """A day of a sample a second: only medians of 48 parts are compared with each other."""
    points = [(float(number), number * 1000) for number in range(86_400)]
    found = trend_of(points)
    assert found is not None
    assert found.points == 48
    assert found.slope == pytest.approx(1000.0)
