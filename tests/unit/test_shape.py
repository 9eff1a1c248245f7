"""Leak, burst, or nothing that can be said: from curves drawn by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.diagnose.shape import judge, trend
from oomlens.model.history_series import Point
from oomlens.model.past import Shape

MIB = 1 << 20


def curve(*values: float, step: float = 60.0) -> list[Point]:
    """Values in MiB, one a minute."""
    return [Point(1000.0 + step * place, value * MIB) for place, value in enumerate(values)]


def test_steady_growth_for_long_is_a_leak() -> None:
    judged = judge(curve(*range(100, 180)))
    assert judged.shape is Shape.LEAK
    assert judged.bytes_per_second == pytest.approx(MIB / 60)
    told = [evidence.comparison for evidence in judged.evidence]
    # From the median of the first eight, 103.5, to 179: 75.5 MiB; one of them in the last minute, ten in each of eight parts.
    assert told[0] == "grown in the last 60 s / grown_bytes = 0.01 < 0.5"
    assert told[1] == "rising parts / parts = 7 / 7 = 1.00 >= 0.75"
    assert told[2] == "largest step / grown_bytes = 0.13 <= 0.5"


def test_a_garbage_collector_s_saw_that_rises_is_a_leak() -> None:
    saw = [100 + 20 * (minute // 10) + 15 * (minute % 10) for minute in range(80)]
    assert judge(curve(*saw)).shape is Shape.LEAK
    flat = [100 + 15 * (minute % 10) for minute in range(80)]
    assert judge(curve(*flat)).shape is not Shape.LEAK


def test_most_of_it_in_the_last_minute_is_a_burst() -> None:
    judged = judge(curve(*([100] * 60), 400))
    assert judged.shape is Shape.BURST
    assert judged.evidence[0].comparison == "grown in the last 60 s / grown_bytes = 1.00 >= 0.5"
    # A leak with a last gulp that is smaller than what leaked before it.
    assert judge(curve(*range(100, 180), 220)).shape is Shape.LEAK


def test_a_young_process_is_a_burst_by_its_age() -> None:
    judged = judge(curve(1, 500, step=5.0), age_seconds=7.0)
    assert judged.shape is Shape.BURST
    assert judged.evidence[0].comparison == "age_seconds = 7 <= 60"
    assert judge(curve(1, 500, step=5.0), age_seconds=61.0).shape is Shape.UNKNOWN


def test_no_growth_is_level_and_less_is_a_fall() -> None:
    assert judge(curve(*([100] * 30), 105)).shape is Shape.LEVEL
    assert judge(curve(*([100] * 30), 50)).shape is Shape.FALL
    assert judge(curve(*([0] * 30))).shape is Shape.LEVEL


def test_growth_that_is_neither_has_its_own_name() -> None:
    # Steady, but over four minutes only.
    judged = judge(curve(*range(100, 200, 10), step=24.0))
    assert judged.shape is Shape.GROWTH
    assert judged.evidence[-1].comparison == "span_seconds = 216 < 600"
    # One step half an hour ago, level since.
    step = judge(curve(*([100] * 30), *([300] * 30)))
    assert step.shape is Shape.GROWTH


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (curve(), "too-few-samples"),
        (curve(1, 2, 3, 4), "too-few-samples"),
        (curve(1, 2, 3, 4, 5, 6, step=5.0), "span-too-short"),
        ([*curve(1, 2, 3), *(Point(9000.0 + second, 50 * MIB + second) for second in range(0, 700, 60)), Point(9700, 90 * MIB)],
         "holes-in-the-history"),
    ],
)  # fmt: skip
def test_too_little_is_not_guessed_at(points: list[Point], reason: str) -> None:
    judged = judge(points)
    assert (judged.shape, judged.reason) == (Shape.UNKNOWN, reason)
    assert judged.evidence


def test_the_trend_does_not_follow_a_single_spike() -> None:
    points = curve(*range(60))
    points[30] = Point(points[30].time_seconds, 1e12)
    assert trend(points) == pytest.approx(MIB / 60, rel=0.05)
    assert trend(points[:1]) is None
    assert trend([Point(5.0, 1), Point(5.0, 2)]) is None


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e15)), max_size=60),
    st.none() | st.floats(0, 1e6),
)
def test_any_curve_is_judged(values: list[tuple[float, float]], age: float | None) -> None:
    points = [Point(*value) for value in sorted(values)]
    judged = judge(points, age_seconds=age)
    assert (judged.shape is Shape.UNKNOWN) == (judged.reason is not None)
