"""When the recorder samples: at rest seldom, quicker as memory gets short, and never dearer than allowed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.model.history import CgroupFigures, CgroupPeek, Peek
from oomlens.record.intervals import Pace, Rhythm, decide, sampled, spent, watched_of
from support.history import MIB, sample

GIB = 1 << 30
RHYTHM = Rhythm()


def calm(at: float, **changed: Any) -> Peek:
    """16 GiB of RAM, half of it available, no stall."""
    return Peek(at, 16 * GIB, 8 * GIB, 0, 5.0, 0)._replace(**changed)


def whys(peeks: list[Peek], pace: Pace, *, cost: float = 0.0) -> list[str | None]:
    """What is decided at each peek where every sample costs so much."""
    told: list[str | None] = []
    for peek in peeks:
        pace, why = decide(RHYTHM, pace, peek)
        if why is not None:
            pace = spent(sampled(pace, sample(0.0), peek.monotonic_seconds), cost)
        told.append(why)
    return told


def rested(at: float = 100.0) -> Pace:
    return Pace(3.0, at, (calm(at),))


def test_the_first_sample_is_taken_at_once_and_the_next_after_the_rest() -> None:
    told = whys([calm(float(second)) for second in range(25)], Pace())
    assert [second for second, why in enumerate(told) if why] == [0, 10, 20]
    assert told[0] == "first"
    assert told[10] == "rest"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"some_stalled_seconds": 5.11}, "stalled"),  # 0.11 s of 1 s
        ({"some_stalled_seconds": 5.09}, None),
        ({"available_bytes": 16 * GIB // 10 - 1}, "low"),
        ({"available_bytes": 16 * GIB // 10 - 1, "swap_free_bytes": GIB}, None),
        ({"available_bytes": None, "total_bytes": None, "swap_free_bytes": None, "some_stalled_seconds": None}, None),
    ],
)
def test_shortage_is_seen_within_a_second(changed: dict[str, object], why: str | None) -> None:
    # The fall from 8 GiB within one second would be "falling" by itself, so the peek before shows the same.
    before = {**changed, "some_stalled_seconds": None if changed.get("available_bytes", 1) is None else 5.0}
    pace = Pace(3.0, 100.0, (calm(100.0, **before),))
    assert decide(RHYTHM, pace, calm(101.0, **changed))[1] == why


def test_a_fast_fall_is_seen_before_memory_is_low() -> None:
    # 8 GiB left; 150 MiB/s would last 54 s, 130 MiB/s 63 s.
    assert decide(RHYTHM, rested(), calm(101.0, available_bytes=8 * GIB - 150 * MIB))[1] == "falling"
    assert decide(RHYTHM, rested(), calm(101.0, available_bytes=8 * GIB - 130 * MIB))[1] is None
    assert decide(RHYTHM, rested(), calm(101.0, available_bytes=9 * GIB))[1] is None


def test_one_large_allocation_is_no_trend() -> None:
    levels = [8 * GIB] * 3 + [8 * GIB - 500 * MIB] * 7
    told = whys([calm(101.0 + second, available_bytes=left) for second, left in enumerate(levels)], rested())
    # 500 MiB in the four seconds since the first peek: at 125 MiB/s the 7692 MiB that are left would last 61 s.
    assert [why for why in told if why] == ["rest"]


def test_a_cgroup_that_fills_is_seen() -> None:
    row = CgroupFigures("/app", 400 * MIB, 512 * MIB, file_bytes=100 * MIB)
    pace = sampled(Pace(3.0), sample(0.0, cgroups=[row]), 100.0)
    assert pace.watched == {"/app": (512 * MIB, 300 * MIB, 400 * MIB)}

    def at(second: float, used: int) -> Peek:
        return calm(second, cgroups={"/app": CgroupPeek(used * MIB, 0)})

    # 312 MiB held after one second and 212 still free: 200 MiB to go at 12 MiB/s are 17 s; at 3 MiB/s 70 s.
    pace = pace._replace(peeks=(at(100.0, 400),))
    assert decide(RHYTHM, pace, at(101.0, 412))[1] == "cgroup"
    assert decide(RHYTHM, pace, at(101.0, 403))[1] is None
    # Full of page cache, but nothing grows.
    assert decide(RHYTHM, pace._replace(peeks=(at(100.0, 512),)), at(101.0, 512))[1] is None
    assert decide(RHYTHM, pace, calm(101.0, cgroups={"/app": CgroupPeek(None, None)}))[1] is None


def test_the_cgroups_nearest_to_their_limits_are_watched() -> None:
    rows = [CgroupFigures(f"/{name:02}", name * MIB, 100 * MIB) for name in range(1, 31)]
    rows += [CgroupFigures("/free", 5 << 30), CgroupFigures("/unknown", None, MIB)]
    watched = watched_of(sample(0.0, cgroups=rows))
    assert sorted(watched) == [f"/{name:02}" for name in range(15, 31)]


def test_under_pressure_it_samples_every_second_until_savings_and_loan_are_used_up() -> None:
    low = [calm(101.0 + second, available_bytes=GIB) for second in range(600)]
    told = whys(low, rested(), cost=0.06)
    quick = next(second for second, why in enumerate(told) if why is None)
    # 3 s saved and 3 s borrowed, 0.05 s net a sample: 120 samples, give or take the edges.
    assert 115 <= quick <= 125
    # After that, 0.06 s at 1 % are one sample every 6 s.
    later = sum(why is not None for why in told[150:])
    assert 72 <= later <= 78


def test_a_machine_whose_samples_are_dear_is_sampled_less_often() -> None:
    told = whys([calm(101.0 + second) for second in range(3600)], rested(), cost=0.5)
    # 3 s saved and 36 s earned; nothing is borrowed at rest.
    assert sum(why is not None for why in told) * 0.5 <= 3 + 36 + 0.5


def test_what_was_borrowed_under_pressure_is_paid_back_at_rest() -> None:
    pace = Pace(-2.0, 100.0, (calm(100.0),))
    assert decide(RHYTHM, pace, calm(101.0, available_bytes=GIB))[1] == "low"
    told = whys([calm(101.0 + second) for second in range(300)], pace)
    # 2 s at 1 % are 200 s.
    assert next(second for second, why in enumerate(told) if why) in range(198, 202)


def test_a_clock_that_stands_still_earns_nothing() -> None:
    pace, _ = decide(RHYTHM, Pace(-1.0, 100.0, (calm(100.0),)), calm(100.0))
    assert pace.credit_seconds == -1.0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0.05, 30.0),
            st.none() | st.integers(0, 20 * GIB),
            st.none() | st.integers(0, 4 * GIB),
            st.none() | st.floats(0, 1e6),
            st.floats(0.0, 2.0),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_budget_and_the_shortest_interval_hold(
    turns: list[tuple[float, int | None, int | None, float | None, float]],
) -> None:
    pace, at, used, dearest = Pace(), 0.0, 0.0, 0.0
    taken: list[float] = []
    for seconds, available, swap, stalled, cost in turns:
        at += seconds
        peek = Peek(at, 16 * GIB, available, swap, stalled)
        pace, why = decide(RHYTHM, pace, peek)
        if why is not None:
            taken.append(at)
            used, dearest = used + cost, max(dearest, cost)
            pace = spent(sampled(pace, sample(0.0), at), cost)
    assert used <= 2 * RHYTHM.credit_seconds + RHYTHM.share * at + dearest + 1e-9
    assert all(later - earlier >= RHYTHM.quick_seconds - 0.1 - 1e-9 for earlier, later in pairwise(taken))
