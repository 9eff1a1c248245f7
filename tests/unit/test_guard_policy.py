"""The guard's step, by hand: of 1,000,000 kB it warns at 200,000, asks at 100,000, kills at 50,000; see tests/support/guard_policy.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from oomlens.policy.candidate import Candidate, candidate_as_dict, candidate_from_dict
from oomlens.policy.evidence import shown
from oomlens.policy.sample import Sample, as_dict, from_dict, rate
from oomlens.policy.settings import level_kb
from oomlens.policy.state import KILL, SETTLE, TERM, WATCH, State, copy, state_as_dict, state_from_dict
from oomlens.policy.step import acted, held_back, seconds_left, step, wait_seconds
from support.guard_policy import TOTAL_KB, Run, busy, candidate, sample, scope

GIB_KB = 1 << 20


@pytest.mark.parametrize(
    ("level", "kb"),
    [
        ([0.1, None, None], 100_000),
        ([0.1, 60_000, None], 60_000),
        ([0.1, None, 150_000], 150_000),
        ([0.1, 60_000, 70_000], 70_000),
    ],
)
def test_a_level_is_a_share_with_bounds(level: list[Any], kb: int) -> None:
    assert level_kb(level, TOTAL_KB) == kb


def test_a_rate_is_unknown_where_a_counter_is_or_went_back() -> None:
    assert rate(30, 10, 2.0) == 10.0
    assert rate(None, 10, 2.0) is None
    assert rate(30, None, 2.0) is None
    assert rate(10, 30, 2.0) is None
    assert rate(30, 10, 0.0) is None


# Exhaustion


@pytest.mark.parametrize(
    ("available_kb", "swap_free_kb", "strength"),
    [
        (100_000, 20_000, 1),  # both at their limit: 100,000 kB, and 10 % of 200,000 kB of swap
        (100_001, 20_000, None),
        (100_000, 20_001, None),  # swap left
        (50_000, 10_000, 2),  # and at the kill's: 5 %
        (50_000, 10_001, 1),
        (50_001, 10_000, 1),
        (0, 200_000, None),
        (0, 0, 2),
    ],
)
def test_exhaustion_needs_little_memory_and_little_swap(
    available_kb: int, swap_free_kb: int, strength: int | None
) -> None:
    run = Run()
    kinds = run.look(sample(1.0, available_kb, swap_total_kb=200_000, swap_free_kb=swap_free_kb))
    assert ("act" in kinds) == (strength is not None)
    if strength is not None:
        assert (run.last.road, run.last.strength) == ("exhaustion", strength)


def test_without_any_swap_memory_alone_is_short() -> None:
    assert "act" in Run().look(sample(1.0, 100_000))
    assert "act" not in Run().look(sample(1.0, 100_001))


def test_two_quick_intervals_are_a_leak_and_one_is_a_burst() -> None:
    # 10,000 kB in 0.02 s: in 0.2 s 100,000 kB more would be gone, and fewer than 50,000 left.
    burst = Run()
    for seconds, available_kb in ((1.0, 170_000), (1.02, 170_000), (1.04, 145_000), (1.06, 145_000)):
        assert "act" not in burst.look(sample(seconds, available_kb))
    leak = Run()
    for seconds, available_kb in ((1.0, 170_000), (1.02, 157_000), (1.04, 144_000)):
        kinds = leak.look(sample(seconds, available_kb))
        assert ("act" in kinds) == (seconds == 1.04)
    assert [row[0] for row in leak.last.evidence] == ["available_kb", "available_kb_soon", "swap_free_share"]
    # 144,000 less 650,000 kB/s for 0.2 s
    assert leak.last.evidence[1][1] == pytest.approx(14_000, abs=2)
    assert leak.last.strength == 1


def test_the_slower_of_two_intervals_counts() -> None:
    run = Run()
    for seconds, available_kb in ((1.0, 170_000), (1.02, 169_000), (1.04, 144_000)):  # 50,000 kB/s: soon 134,000
        assert "act" not in run.look(sample(seconds, available_kb))


def test_quick_filling_means_nothing_where_memory_is_not_low() -> None:
    run = Run()
    for seconds, available_kb in ((1.0, 900_000), (1.1, 600_000), (1.2, 200_001)):
        assert run.look(sample(seconds, available_kb)) == []


# Thrash and harm: each sign dropped in turn

THRASH = scope(roads=["thrash"])
HARM = scope(roads=["harm"])


def thrash(changes: Mapping[str, Any], available_kb: int = 150_000, looks: int = 7, **row: Any) -> list[str]:
    """Seven looks, one a second, with all signs but the changed ones; what was decided."""
    run = Run(scope(**{"roads": ["thrash"], **row}))
    for second in range(looks):
        spent = {name: value(second) if callable(value) else value for name, value in changes.items()}
        run.look(busy(float(second), available_kb, spent=second, **spent))
    return [decision.kind for decision in run.decisions if decision.kind == "act"]


def test_thrash_acts_when_all_signs_have_held_for_five_seconds() -> None:
    run = Run(THRASH)
    for second in range(5):
        assert "act" not in run.look(busy(float(second), 150_000, spent=second))
    assert "act" in run.look(busy(5.0, 150_000, spent=5))
    assert (run.last.road, run.last.strength) == ("thrash", 1)
    assert run.last.evidence == (
        ("available_kb", 150_000, "<=", 150_000),
        ("pages_back_per_second", 100, ">=", 10.0),
        ("major_faults_per_second", 200, ">=", 20.0),
        ("stalled_share", 0.9, ">=", 0.5),
        ("lasted_seconds", 5.0, ">=", 5.0),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"file_refaults": lambda second: 9 * second},
        {"file_refaults": None},
        {"major_faults": lambda second: 19 * second},
        {"major_faults": None},
        {"io_stall_us": lambda second: 490_000 * second},
    ],
    ids=["no pages back", "pages back unknown", "no major faults", "major faults unknown", "no stall"],
)
def test_thrash_without_one_of_its_signs_is_none(changes: Mapping[str, Any]) -> None:
    assert thrash(changes) == []


def test_thrash_needs_low_memory_and_its_road() -> None:
    assert thrash({}, available_kb=150_001) == []
    assert thrash({}, roads=["exhaustion", "harm"], harm_stall=0.99) == []
    assert thrash({}) != []


def test_thrash_by_swap_or_by_memory_stall() -> None:
    assert thrash({"file_refaults": 0, "swapped_in_pages": lambda second: 10 * second}) != []
    assert thrash({"io_stall_us": None, "memory_stall_us": lambda second: 500_000 * second}) != []
    assert thrash({"io_stall_us": 0, "memory_stall_us": lambda second: 500_000 * second}) != []


def test_a_break_begins_the_five_seconds_anew() -> None:
    run = Run(THRASH)
    for second in range(10):
        idle = second if second < 4 else second - 1  # nothing in the interval from 3 to 4
        kinds = run.look(busy(float(second), 150_000, spent=min(idle, second)))
        assert ("act" in kinds) == (second == 9)


def test_without_psi_many_major_faults_stand_for_the_stall() -> None:
    unknown: dict[str, Any] = {"io_stall_us": None, "memory_stall_us": None, "harm_stall_us": None}
    assert thrash(unknown) != []
    assert thrash({**unknown, "major_faults": lambda second: 99 * second}) == []
    assert thrash({**unknown, "major_faults": lambda second: 100 * second}) != []


def test_heavy_reading_with_much_memory_available_is_nothing() -> None:
    run = Run()
    for second in range(60):
        kinds = run.look(
            busy(
                float(second),
                400_000,
                spent=10 * second,
                io_stall_us=999_000 * second,
                memory_stall_us=600_000 * second,
            )
        )
        assert kinds == []


def test_harm_acts_when_all_signs_have_held_for_five_seconds() -> None:
    run = Run(HARM)
    for second in range(5):
        assert "act" not in run.look(busy(float(second), 250_000, spent=second))
        assert run.state.harmed == (None if second == 0 else "/system.slice/web.service")
    assert "act" in run.look(busy(5.0, 250_000, spent=5))
    assert run.last.evidence == (
        ("available_kb", 250_000, "<=", 250_000),
        ("pages_back_per_second", 100, ">=", 10.0),
        ("harmed_cgroup", "/system.slice/web.service", "in", "harm_cgroups"),
        ("harmed_stalled_share", 0.4, ">=", 0.1),
        ("lasted_seconds", 5.0, ">=", 5.0),
    )


@pytest.mark.parametrize(
    ("changes", "available_kb"),
    [
        ({"file_refaults": 0}, 250_000),
        ({"file_refaults": None, "swapped_in_pages": None}, 250_000),
        ({"harm_stall_us": None}, 250_000),
        ({"harm_stall_us": {}}, 250_000),
        ({"harm_stall_us": lambda second: {"/a": 99_000 * second}}, 250_000),
        ({"harm_stall_us": lambda second: {f"/new/{second}": 400_000 * second}}, 250_000),
        ({}, 250_001),
    ],
    ids=["no pages back", "pages back unknown", "unknown", "none marked", "little", "each time another", "much memory"],
)
def test_harm_without_one_of_its_signs_is_none(changes: Mapping[str, Any], available_kb: int) -> None:
    assert thrash(changes, available_kb, roads=["harm"]) == []
    assert thrash({}, 250_000, roads=["harm"]) == ["act", "act"]


# The warning


def test_it_warns_once_at_the_level_and_is_over_a_quarter_above_it() -> None:
    run = Run()
    assert run.look(sample(0.0, 200_001)) == []
    assert run.look(sample(10.0, 200_000)) == ["warn"]
    assert run.last.evidence == (("available_kb", 200_000, "<=", 200_000), ("swap_free_share", 0.0, "<=", 0.2))
    assert run.look(sample(20.0, 199_000)) == []
    assert run.look(sample(30.0, 250_000)) == []
    assert run.look(sample(40.0, 250_001)) == ["recovered"]
    assert run.look(sample(50.0, 250_001)) == []
    assert run.look(sample(60.0, 200_000)) == ["warn"]


def test_it_warns_half_a_minute_before_the_end_at_a_steady_rate() -> None:
    run = Run()
    left = None
    for second in range(60):
        available_kb = 900_000 - 15_000 * second
        if run.look(sample(float(second), available_kb)):
            left = run.last.value
            break
    assert left is not None
    assert left == pytest.approx(available_kb / 15_000, rel=0.02)
    assert 29.0 < left <= 30.0
    assert run.last.evidence[1] == ("available_kb", available_kb, "<=", 500_000)


def test_no_warning_by_rate_before_it_is_steady_or_while_half_is_left() -> None:
    quick = Run()
    assert quick.look(sample(0.0, 480_000)) == []
    assert quick.look(sample(1.0, 440_000)) == []  # gone in eleven seconds, but for one second only
    assert quick.look(sample(2.0, 400_000)) == ["warn"]
    much = Run()
    for second in range(5):
        assert much.look(sample(float(second), 900_000 - 90_000 * second)) == []


def test_more_swap_ends_the_warning_where_memory_alone_stays_low() -> None:
    run = Run()
    assert run.look(sample(0.0, 180_000, swap_total_kb=100_000, swap_free_kb=15_000)) == ["warn"]
    assert run.look(sample(10.0, 180_000, swap_total_kb=100_000, swap_free_kb=24_000)) == []
    assert run.look(sample(20.0, 180_000, swap_total_kb=100_000, swap_free_kb=26_000)) == ["recovered"]


# The kill that ends


def told(watched: Any = None, *, strength: int = 1, available_kb: int = 90_000) -> Run:
    """A run that has just sent its signal at second 100."""
    run = Run(watched)
    now = sample(100.0, available_kb, memory_stall_us=0)
    run.look(now)
    run.state = acted(run.state, now, "exhaustion", strength)
    run.decisions = []
    return run


def test_term_then_the_grace_then_kill_then_gone() -> None:
    run = told()
    assert run.state.phase == TERM
    for tenth in range(1, 20):
        assert run.look(sample(100 + tenth / 10, 90_000, memory_stall_us=0), alive=True) == []
    assert run.look(sample(102.05, 90_000, memory_stall_us=0), alive=True) == ["escalate"]
    assert run.last.strength == 2
    assert run.last.evidence[0][0] == "grace_seconds"
    assert run.state.phase == KILL
    assert run.look(sample(102.1, 90_000), alive=True) == []
    assert run.look(sample(102.2, 300_000), alive=False) == ["gone"]
    assert run.state.phase == SETTLE


def test_under_full_stall_the_grace_is_a_fifth() -> None:
    run = told()
    assert run.look(sample(100.2, 90_000, memory_stall_us=200_000), alive=True) == []
    assert run.state.grace_used == pytest.approx(1.0)
    assert run.look(sample(100.39, 90_000, memory_stall_us=390_000), alive=True) == []
    assert run.look(sample(100.41, 90_000, memory_stall_us=410_000), alive=True) == ["escalate"]


def test_with_half_of_the_kill_level_left_there_is_no_grace() -> None:
    run = told()
    assert run.look(sample(100.02, 25_001), alive=True) == []
    assert run.look(sample(100.04, 25_000), alive=True) == ["escalate"]
    assert run.last.evidence == (("available_kb", 25_000, "<=", 25_000), ("waited_seconds", 0.04, ">=", 0))


def test_a_victim_that_does_not_end_is_stuck() -> None:
    run = told(strength=2)
    assert run.state.phase == KILL
    assert run.look(sample(105.0, 90_000), alive=True) == []
    assert run.look(sample(109.9, 90_000), alive=True) == []
    assert run.look(sample(110.0, 90_000), alive=True) == ["stuck"]
    assert run.state.phase == SETTLE


def test_a_pause_is_not_time_that_the_victim_had() -> None:
    run = told(strength=2)
    assert run.look(sample(101.0, 90_000), alive=True) == []
    assert run.look(sample(400.0, 90_000), alive=True) == []  # the machine was stopped
    assert run.look(sample(408.9, 90_000), alive=True) == []
    assert run.look(sample(409.1, 90_000), alive=True) == ["stuck"]
    grace = told()
    assert grace.look(sample(400.0, 90_000, memory_stall_us=0), alive=True) == []
    assert grace.state.grace_used == 1.0


def test_no_second_action_before_the_memory_is_back() -> None:
    run = told(available_kb=40_000, strength=2)
    assert run.look(sample(100.1, 60_000), alive=False) == ["gone"]
    assert run.look(sample(100.3, 80_000)) == []  # little, but it rises
    assert run.look(sample(100.5, 110_000)) == []
    assert run.look(sample(100.7, 110_000)) == []  # still for 0.2 s
    kinds = run.look(sample(100.81, 110_000))
    assert kinds[0] == "settled"
    assert run.decisions[-len(kinds)].value == 70_000
    assert "act" not in kinds
    assert run.state.phase == WATCH


def test_where_it_was_not_enough_the_cool_down_passes_first() -> None:
    run = told(available_kb=40_000, strength=2)
    run.look(sample(100.0, 90_000), alive=False)
    for tenth in range(1, 50):
        assert run.look(sample(100 + tenth / 10, 90_000)) == []
    kinds = run.look(sample(105.0, 90_000))
    assert (kinds[0], kinds[-1]) == ("settled", "act")


def test_when_it_falls_to_the_kill_level_the_cool_down_is_cut_short() -> None:
    run = told(available_kb=40_000, strength=2)
    run.look(sample(100.0, 90_000), alive=False)
    assert run.look(sample(100.2, 49_000)) == []
    kinds = run.look(sample(100.4, 48_000))
    assert (kinds[0], kinds[-1]) == ("settled", "act")
    assert run.last.strength == 2


def test_what_was_held_back_waits_and_has_freed_nothing() -> None:
    run = Run()
    now = sample(100.0, 90_000)
    assert "act" in run.look(now)
    run.state = held_back(run.state, now, "exhaustion")
    assert run.look(sample(104.9, 90_000)) == []
    kinds = run.look(sample(105.1, 90_000))
    assert kinds == ["settled", "act"]
    assert run.decisions[-2].value == 0


def test_signs_from_before_an_action_do_not_count_again() -> None:
    run = Run(THRASH)
    for second in range(6):
        run.look(busy(float(second), 150_000, spent=second))
    assert run.state.thrash_since == 0.0
    assert acted(run.state, busy(5.0, 150_000, spent=5), "thrash", 1).thrash_since is None


# What forgets


@pytest.mark.parametrize(
    "later",
    [
        busy(36.0, 150_000, spent=60),
        busy(3.0, 150_000, spent=60),
        busy(6.0, 150_000, spent=6, total_kb=2 * TOTAL_KB),
        busy(6.0, 150_000, spent=6, swap_total_kb=500_000, swap_free_kb=0),
    ],
    ids=["a suspend", "a clock that went back", "memory or the limit changed", "swap was added"],
)
def test_what_was_measured_is_forgotten(later: Sample) -> None:
    run = Run(THRASH)
    for second in range(6):
        run.look(busy(float(second), 200_000 - 10_000 * second, spent=second))
    assert run.state.fill_kb_per_second > 0
    assert run.state.thrash_since == 4.0
    run.look(later)
    assert run.state.fill_kb_per_second == 0.0
    assert run.state.fall_kb_per_second == 0.0
    assert run.state.falling_since is None
    assert run.state.harm_since is None
    assert seconds_left(run.state, later) is None


def test_swap_that_is_taken_away_is_no_leak() -> None:
    run = Run()
    for second in range(10):
        swap = {"swap_total_kb": 4 * GIB_KB, "swap_free_kb": 4 * GIB_KB} if second < 3 else {}
        assert run.look(sample(float(second), 450_000, **swap)) == []


def test_the_worth_of_zram_moves_and_nothing_is_forgotten() -> None:
    run = Run()
    for second in range(8):
        run.look(
            sample(
                float(second), 580_000 - 20_000 * second, swap_total_kb=300_000 + 2_000 * second, swap_free_kb=100_000
            )
        )
    assert run.state.falling_since == 0.0


# How long it may sleep


def wait(available_kb: int, state: State | None = None, **more: Any) -> float:
    """With 1,000,000 kB/s for memory and 100,000 kB/s for swap."""
    return wait_seconds(scope(), state or State(), sample(0.0, available_kb, **more), 1e6, 1e5)


def test_it_sleeps_no_longer_than_the_quickest_fill_needs() -> None:
    assert wait(600_000) == pytest.approx(0.5)
    assert wait(300_000, swap_total_kb=100_000, swap_free_kb=100_000) == pytest.approx(0.2 + 0.9)
    assert wait(0) == 0.04
    assert wait(1_000_000, swap_total_kb=10 * GIB_KB, swap_free_kb=10 * GIB_KB) == 10.0
    assert wait(250_000, swap_total_kb=10 * GIB_KB, swap_free_kb=10 * GIB_KB) == 1.0


def test_more_memory_never_means_a_shorter_sleep() -> None:
    for swap_kb in (0, GIB_KB):
        waits = [
            wait(available_kb, swap_total_kb=swap_kb, swap_free_kb=swap_kb)
            for available_kb in range(0, TOTAL_KB, 10_000)
        ]
        assert waits == sorted(waits)


@pytest.mark.parametrize(("phase", "seconds"), [(TERM, 0.02), (KILL, 0.02), (SETTLE, 0.05)])
def test_while_something_is_under_way_it_looks_often(phase: str, seconds: float) -> None:
    state = State()
    state.phase = phase
    assert wait(900_000, state) == seconds


# Pure, and written down


def full_state() -> State:
    """Every field another than its default."""
    state = State()
    for index, name in enumerate(State.__slots__):
        setattr(state, name, float(index + 1))
    state.sample = busy(7.5, 123_456, spent=3, swap_total_kb=10, swap_free_kb=5)
    state.phase, state.road, state.harmed, state.warned = TERM, "harm", "/x", True
    state.before_kb, state.best_kb = 77, 78
    return state


def test_state_sample_and_candidate_come_back_from_json() -> None:
    state = full_state()
    row = json.loads(json.dumps(state_as_dict(state)))
    assert state_as_dict(state_from_dict(row)) == state_as_dict(state)
    assert set(row) == set(State.__slots__)
    assert state.sample is not None
    assert as_dict(from_dict(json.loads(json.dumps(as_dict(state.sample))))) == as_dict(state.sample)
    each = candidate(
        7,
        5,
        uid=0,
        cgroup="/a.service",
        labels={"k": "v"},
        growth_kb_per_second=1.25,
        exe="/x",
        together="/a.service",
        swap_kb=3,
    )
    each.points, each.terms = 9, (("held", 9),)
    written = json.loads(json.dumps(candidate_as_dict(each)))
    back = candidate_from_dict(written)
    assert (back.points, back.terms) == (0, ())  # a ranking gives them anew
    for name in set(Candidate.__slots__) - {"points", "terms"}:
        assert getattr(back, name) == getattr(each, name), name
    assert written["unit"] == "a.service"


def test_a_copy_has_everything() -> None:
    state = full_state()
    for name in State.__slots__:
        assert getattr(copy(state), name) == getattr(state, name), name


@pytest.mark.parametrize("phase", [WATCH, TERM, KILL, SETTLE])
@pytest.mark.parametrize("alive", [None, True, False])
def test_a_step_changes_nothing_that_it_was_given_and_answers_the_same_again(phase: str, *, alive: bool | None) -> None:
    before = full_state()
    before.phase = phase
    now = busy(8.5, 50_000, spent=4)
    written = (state_as_dict(before), as_dict(now))
    answers = []
    for _ in range(2):
        state, decisions = step(scope(), before, now, alive=alive)
        answers.append((state_as_dict(state), [(each.kind, each.evidence) for each in decisions]))
        assert (state_as_dict(before), as_dict(now)) == written
    assert answers[0] == answers[1]


def test_a_number_is_rounded_only_where_its_comparison_stays_true() -> None:
    assert shown(0.123456, 3, 0.5) == 0.123
    assert shown(10.4, 0, 10.3) == 10.4
    assert shown(484.2, 0, 10.0) == 484
    assert shown(5.25, 1, 5.25) == 5.25
