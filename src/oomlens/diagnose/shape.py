"""What a curve of memory looks like up to a kill: a leak, a burst, or nothing that the points can say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from oomlens.model.evidence import Evidence
from oomlens.model.history_series import Point
from oomlens.model.past import Shape

# Fewer points say nothing.
LEAST_POINTS = 5
# Growth below this part of the last value is none.
LEVEL_SHARE = 0.10
# A burst: this part of the growth came in the last minute.
BURST_SECONDS, BURST_SHARE = 60.0, 0.5
# A leak: over at least ten minutes, cut into eight, the lowest value of nearly each is above that of the one before.
LEAK_SECONDS, WINDOWS, RISING_SHARE = 600.0, 8, 0.75
# … and no single part holds most of the growth.
LARGEST_STEP_SHARE = 0.5


class Judgement(NamedTuple):
    """A shape with the arithmetic behind it. reason: why it is unknown."""

    shape: Shape
    evidence: tuple[Evidence, ...] = ()
    bytes_per_second: float | None = None
    reason: str | None = None


def judge(points: Sequence[Point], *, age_seconds: float | None = None) -> Judgement:
    """The shape of a curve that ends with the kill. age_seconds: of a process at the kill, where it is known."""
    young = age_seconds is not None and age_seconds <= BURST_SECONDS
    if young and points:
        told = f"age_seconds = {age_seconds:.0f} <= {BURST_SECONDS:.0f}"
        return Judgement(Shape.BURST, (Evidence("age_seconds", round(age_seconds or 0.0, 1), "seconds", told),))
    if len(points) < LEAST_POINTS:
        told = f"points = {len(points)} < {LEAST_POINTS}"
        return Judgement(Shape.UNKNOWN, (Evidence("points", len(points), "count", told),), None, "too-few-samples")
    first, last = points[0], points[-1]
    # A single first value may be a spike; the kill itself is what it is.
    start = median(point.value for point in points[: max(1, len(points) // 10)])
    grown, span = last.value - start, last.time_seconds - first.time_seconds
    level = _part("grown_bytes", grown, "held_bytes", last.value)
    if last.value <= 0 or abs(grown) < LEVEL_SHARE * last.value:
        return Judgement(Shape.LEVEL, (_evidence(grown, f"{level} < {LEVEL_SHARE:g}"),))
    if grown < 0:
        return Judgement(Shape.FALL, (_evidence(grown, f"{level} <= -{LEVEL_SHARE:g}"),))
    recent = _recent(points, grown)
    if recent is None:
        told = f"span_seconds = {span:.0f} < {BURST_SECONDS:.0f}"
        return Judgement(
            Shape.UNKNOWN, (Evidence("span_seconds", round(span, 1), "seconds", told),), None, "span-too-short"
        )
    if recent.shape is Shape.BURST:
        return recent
    return _steady(points, grown, span, recent.evidence)


def _evidence(grown: float, comparison: str) -> Evidence:
    return Evidence("grown_bytes", int(grown), "bytes", comparison)


def _part(name: str, value: float, of: str, whole: float) -> str:
    return f"{name} / {of} = {value / whole:.2f}" if whole else f"{of} = 0"


def _recent(points: Sequence[Point], grown: float) -> Judgement | None:
    """Whether most of it came in the last minute; None where nothing is known of the time before."""
    last = points[-1]
    before = [point for point in points if last.time_seconds - point.time_seconds >= BURST_SECONDS]
    if not before:
        return None
    lately = last.value - before[-1].value
    seconds = last.time_seconds - before[-1].time_seconds
    told = _part(f"grown in the last {seconds:.0f} s", lately, "grown_bytes", grown)
    # With few samples the last minute may be much longer than one.
    if lately >= BURST_SHARE * grown and seconds <= 2 * BURST_SECONDS:
        return Judgement(Shape.BURST, (_evidence(lately, f"{told} >= {BURST_SHARE:g}"),), lately / seconds)
    return Judgement(Shape.GROWTH, (_evidence(lately, f"{told} < {BURST_SHARE:g}"),))


def _steady(points: Sequence[Point], grown: float, span: float, evidence: tuple[Evidence, ...]) -> Judgement:
    slope = trend(points)
    if span < LEAK_SECONDS:
        told = f"span_seconds = {span:.0f} < {LEAK_SECONDS:.0f}"
        return Judgement(Shape.GROWTH, (*evidence, Evidence("span_seconds", round(span, 1), "seconds", told)), slope)
    floors = [value for value in _floors(points) if value is not None]
    steps = [later - earlier for earlier, later in pairwise(floors)]
    if len(floors) < WINDOWS - 2:
        told = f"windows with samples = {len(floors)} < {WINDOWS - 2}"
        return Judgement(
            Shape.UNKNOWN, (Evidence("windows", len(floors), "count", told),), slope, "holes-in-the-history"
        )
    rising = sum(step > 0 for step in steps)
    share = rising / len(steps)
    told = f"rising parts / parts = {rising} / {len(steps)} = {share:.2f}"
    largest = max(steps) / grown
    jump = f"largest step / grown_bytes = {largest:.2f}"
    if share >= RISING_SHARE and largest <= LARGEST_STEP_SHARE:
        proof = (
            Evidence("rising_parts", rising, "count", f"{told} >= {RISING_SHARE:g}"),
            Evidence("largest_step_bytes", int(max(steps)), "bytes", f"{jump} <= {LARGEST_STEP_SHARE:g}"),
        )
        return Judgement(Shape.LEAK, (*evidence, *proof), slope)
    word = "<" if share < RISING_SHARE else ">="
    proof = (
        Evidence("rising_parts", rising, "count", f"{told} {word} {RISING_SHARE:g}"),
        Evidence("largest_step_bytes", int(max(steps)), "bytes", jump),
    )
    return Judgement(Shape.GROWTH, (*evidence, *proof), slope)


def _floors(points: Sequence[Point]) -> list[float | None]:
    """The lowest value in each of equal spans of time: what a garbage collector leaves is what leaks."""
    first, span = points[0].time_seconds, points[-1].time_seconds - points[0].time_seconds
    found: list[float | None] = [None] * WINDOWS
    for point in points:
        place = min(int((point.time_seconds - first) / span * WINDOWS), WINDOWS - 1)
        lowest = found[place]
        found[place] = point.value if lowest is None else min(lowest, point.value)
    return found


def trend(points: Sequence[Point], most: int = 60) -> float | None:
    """Bytes a second: the median slope between all pairs of up to `most` points (Theil and Sen); None below two points."""
    step = -(-len(points) // most)
    chosen = [*points[:: max(step, 1)]]
    slopes = [
        (later.value - earlier.value) / (later.time_seconds - earlier.time_seconds)
        for place, earlier in enumerate(chosen)
        for later in chosen[place + 1 :]
        if later.time_seconds > earlier.time_seconds
    ]
    return median(slopes) if slopes else None
