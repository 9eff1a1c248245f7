"""The trend of memory: slope and interval by hand, silence where there is none, and nothing ever raised."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.predict.trend import Eta, Point, Trend, trend_of, used_up

MIB = 1 << 20


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable on purpose


def series(*values: float, every: float = 10.0) -> list[Point]:
    return [(number * every, value) for number, value in enumerate(values)]


def test_a_straight_line_is_its_own_interval() -> None:
    found = trend_of(series(*(5000 + 1000 * number for number in range(10))))
    assert found == Trend(100.0, 100.0, 100.0, 0, 10, 90.0)


def test_one_burst_moves_neither_slope_nor_interval() -> None:
    # 9 of the 45 slopes have the burst in them: 4 are far below 100, 5 far above; the interval is from the 11th to the 35th.
    # Of the 8 slopes between neighbouring parts the steepest and the flattest have it, which do not count.
    values = [1000 * number for number in range(10)]
    values[5] += 50_000
    found = trend_of(series(*values))
    assert found is not None
    assert (found.slope, found.low, found.high, found.peak) == (100.0, 100.0, 100.0, 50_000)


def test_the_interval_is_that_of_kendalls_ranks() -> None:
    # A parabola: the slope between i and j is 100 + (i + j) / 10. Sums of i and j: 1, 2, twice 3, twice 4, three times 5, three
    # times 6 …, so the 11th of the 45 is 100.6, the 35th 101.2, the middle one 100.9. Those between neighbours are 100.1, 100.3 to
    # 101.3, and to the last part, of two points, (8572.5 - 7049) / 15 = 101.6: without the first and the last 100.3 to 101.3.
    found = trend_of(series(*(1000 * number + number**2 for number in range(10))))
    assert found is not None
    assert found.slope == pytest.approx(100.9)
    assert found.low == pytest.approx(100.3)
    assert found.high == pytest.approx(101.3)


def test_what_neighbouring_parts_say_widens_the_interval() -> None:
    # Every second value is 200 higher. Of the 45 slopes 10 are below 100, 20 are 100, so that Kendall's interval is 100 to 104;
    # those between neighbours are 120 and 80 in turn.
    found = trend_of(series(*(1000 * number + number % 2 * 200 for number in range(10))))
    assert found is not None
    assert (found.slope, found.low, found.high) == (100.0, 80.0, 120.0)


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


def wandering(seed: int, hang: float, slope: float, count: int = 360) -> list[Point]:
    """Every ten seconds: a slope, and values that hang together with those before (1: a random walk)."""
    noise, value, found = chance(seed), 0.0, []
    for number in range(count):
        value = hang * value + noise.gauss(0, 5 * MIB * math.sqrt(max(1 - hang * hang, 0.04)))
        found.append((10.0 * number, 10.0 * number * slope + value))
    return found


def test_what_only_wanders_about_is_mostly_no_growth() -> None:
    assert sum(trend_of(wandering(seed, 0.0, 0)) is not None for seed in range(60)) <= 1
    assert sum(trend_of(wandering(seed, 0.9, 0)) is not None for seed in range(60)) <= 4
    assert (
        sum(trend_of(wandering(seed, 1.0, 0)) is not None for seed in range(60)) <= 9
    )  # a random walk does go somewhere


def test_the_interval_holds_the_time_when_it_happens() -> None:
    """An hour is seen, and what really comes is known."""
    room, right, told = 400 * MIB, 0, 0
    for seed in range(40):
        whole = wandering(seed, 0.8, 30_000.0, 6 * 360)
        seen, comes = whole[:360], whole[360:]
        eta = used_up(trend_of(seen), room)
        if eta is not None:
            told += 1
            happens = next(at for at, value in comes if value >= seen[-1][1] + room) - seen[-1][0]
            right += eta.earliest_seconds <= happens <= (eta.latest_seconds or math.inf)
    assert told >= 36
    assert right >= 0.95 * told


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
