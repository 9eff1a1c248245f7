"""The guard's policy: (scope, state, sample) → (state, decisions). Nothing here reads or does anything.

What is under way (a victim that was told to end) comes in as `alive`: None where nothing is.
"""

from __future__ import annotations

from oomlens.policy.detectors import DETECTORS
from oomlens.policy.detectors.harm import signs as harm_signs
from oomlens.policy.detectors.thrash import signs as thrash_signs
from oomlens.policy.evidence import Verdict, shown
from oomlens.policy.sample import rate
from oomlens.policy.settings import level_kb
from oomlens.policy.state import KILL, SETTLE, TERM, WATCH, State, copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.evidence import Evidence
    from oomlens.policy.sample import Sample
    from oomlens.policy.settings import Scope

# The fill rate is smoothed over about so long.
SMOOTH_SECONDS = 2.0
# A rate of loss counts for a warning when it has held so long, and less than half is left.
STEADY_SECONDS = 2.0
WARN_SHARE = 0.5
# A little more than that: so long rates are not measured.
COMFORT_SHARE = 0.6
# After a pause of so many seconds more than was asked for (a suspend, a stopped machine), rates mean nothing.
PAUSE_SECONDS = 30.0
# A warning is over when so many times its limit is there.
RECOVERED_TIMES = 1.25
# Where everybody stands still all the time, the grace runs faster by so many times.
GRACE_STALL_TIMES = 4.0
# Swap whose size differs by more than this was added or taken away.
RESIZED_SHARE = 0.10
# Below this share of the kill level there is no time left for a grace.
LAST_SHARE = 0.5
# The memory of a victim is back when nothing has risen for so long.
BACK_SECONDS = 0.3


class Decision:
    """kind: "warn", "recovered", "act", "escalate", "stuck", "gone", "settled". strength as `Verdict`'s. value: kB freed or seconds."""

    __slots__ = ("evidence", "kind", "road", "strength", "value")

    def __init__(
        self,
        kind: str,
        road: str | None = None,
        strength: int = 0,
        evidence: tuple[Evidence, ...] = (),
        value: float | None = None,
    ) -> None:
        self.kind = kind
        self.road = road
        self.strength = strength
        self.evidence = evidence
        self.value = value


def step(
    scope: Scope, before: State, sample: Sample, *, alive: bool | None = None
) -> tuple[State, tuple[Decision, ...]]:
    """One look further."""
    if before.phase == WATCH and not before.warned and _comfortable(scope, sample):
        # Most looks of most machines: nothing can follow from it, and nothing is remembered but the look itself.
        state = State()
        state.sample = sample
        return state, ()
    state = copy(before)
    _measure(scope, state, sample)
    decisions: list[Decision] = []
    if state.phase in (TERM, KILL):
        decisions += _follow(scope, state, sample, alive=bool(alive))
    if state.phase == SETTLE:
        decisions += _settle(scope, state, sample)
    if state.phase == WATCH:
        decisions += _warn(scope, state, sample)
        verdict = judge(scope, state, sample)
        if verdict is not None:
            decisions.append(Decision("act", verdict.road, verdict.strength, verdict.evidence))
    state.sample = sample
    return state, tuple(decisions)


def _comfortable(scope: Scope, sample: Sample) -> bool:
    available = sample.available_kb
    return available > COMFORT_SHARE * sample.total_kb and available > 1.25 * scope.highest_level_kb(sample.total_kb)


def judge(scope: Scope, state: State, sample: Sample) -> Verdict | None:
    """The first road that says to act. `state` has been measured; `state.sample` is the look before."""
    for detector in DETECTORS:
        if detector.ROAD in scope.roads:
            verdict: Verdict | None = detector.detect(scope, state, sample)
            if verdict is not None:
                return verdict
    return None


def acted(before: State, sample: Sample, road: str, strength: int) -> State:
    """After the signal was sent."""
    state = copy(before)
    state.phase = KILL if strength >= 2 else TERM
    state.phase_seconds = sample.seconds
    state.grace_used = 0.0
    state.before_kb = sample.available_kb
    state.road = road
    state.thrash_since = state.harm_since = None
    return state


def held_back(before: State, sample: Sample, road: str | None) -> State:
    """After it could not or was not to act (nobody to choose, a dry run): it looks again when the cool-down has passed."""
    state = copy(before)
    _to_settle(state, sample)
    state.before_kb = sample.available_kb
    state.road = road
    state.thrash_since = state.harm_since = None
    return state


def _measure(scope: Scope, state: State, sample: Sample) -> None:
    """Rates, and since when the signs of thrash and harm have held."""
    then = state.sample
    if then is None or not 0 < sample.seconds - then.seconds < PAUSE_SECONDS or _resized(then, sample):
        state.fill_kb_per_second = state.fall_kb_per_second = state.last_fall_kb_per_second = 0.0
        state.falling_since = state.thrash_since = state.harm_since = None
        return
    seconds = sample.seconds - then.seconds
    lost = (then.available_kb + then.swap_free_kb) - (sample.available_kb + sample.swap_free_kb)
    fall = max(0.0, lost / seconds)
    # Of two intervals the slower one: a short burst is no leak.
    state.fall_kb_per_second = min(fall, state.last_fall_kb_per_second)
    state.last_fall_kb_per_second = fall
    weight = seconds / (seconds + SMOOTH_SECONDS)
    state.fill_kb_per_second += (lost / seconds - state.fill_kb_per_second) * weight
    if state.fill_kb_per_second * SMOOTH_SECONDS < sample.total_kb * 0.005:
        state.falling_since = None
    elif state.falling_since is None:
        state.falling_since = then.seconds
    if thrash_signs(scope, then, sample) is None:
        state.thrash_since = None
    elif state.thrash_since is None:
        state.thrash_since = then.seconds
    harm = harm_signs(scope, then, sample)
    if harm is None:
        state.harm_since = state.harmed = None
    else:
        state.harmed = harm[0]
        if state.harm_since is None:
            state.harm_since = then.seconds


def _resized(then: Sample, sample: Sample) -> bool:
    """Memory or swap came or went: what is free differs, but nothing was filled. What zram is worth moves a little all the time."""
    if then.total_kb != sample.total_kb:
        return True
    return abs(sample.swap_total_kb - then.swap_total_kb) > RESIZED_SHARE * max(
        sample.swap_total_kb, then.swap_total_kb
    )


def seconds_left(state: State, sample: Sample) -> float | None:
    """Until memory and swap are gone at the measured rate; None where they do not go."""
    if state.falling_since is None or state.fill_kb_per_second <= 0:
        return None
    return (sample.available_kb + sample.swap_free_kb) / state.fill_kb_per_second


def _warn(scope: Scope, state: State, sample: Sample) -> list[Decision]:
    limit = level_kb(scope.warn, sample.total_kb)
    swap_share = sample.swap_free_kb / sample.swap_total_kb if sample.swap_total_kb else 0.0
    left = seconds_left(state, sample)
    steady = state.falling_since is not None and sample.seconds - state.falling_since >= STEADY_SECONDS
    evidence: tuple[Evidence, ...] = ()
    if sample.available_kb <= limit and swap_share <= 2 * scope.swap_term:
        evidence = (
            ("available_kb", sample.available_kb, "<=", limit),
            ("swap_free_share", shown(swap_share, 4, 2 * scope.swap_term), "<=", 2 * scope.swap_term),
        )
    elif (
        left is not None
        and steady
        and left <= scope.warn_seconds
        and sample.available_kb <= WARN_SHARE * sample.total_kb
    ):
        half = int(WARN_SHARE * sample.total_kb)
        evidence = (
            ("seconds_left", shown(left, 1, scope.warn_seconds), "<=", scope.warn_seconds),
            ("available_kb", sample.available_kb, "<=", half),
        )
    if evidence and not state.warned:
        state.warned = True
        return [Decision("warn", "exhaustion", 0, evidence, left)]
    # Hysteresis: over only when a quarter more than the warning level is there (of memory, or of swap), and it no longer falls.
    much = sample.available_kb > RECOVERED_TIMES * limit or swap_share > RECOVERED_TIMES * 2 * scope.swap_term
    if state.warned and not evidence and much and state.falling_since is None:
        state.warned = False
        return [Decision("recovered")]
    return []


def _follow(scope: Scope, state: State, sample: Sample, *, alive: bool) -> list[Decision]:
    """While the victim is to end. The grace is time, and runs quicker under pressure; with nothing left it is over."""
    if not alive:
        _to_settle(state, sample)
        return [Decision("gone", state.road)]
    then = state.sample
    seconds = max(0.0, sample.seconds - then.seconds) if then is not None else 0.0
    if seconds >= PAUSE_SECONDS:
        state.phase_seconds += seconds  # nobody ran, the victim neither
    elapsed = max(0.0, sample.seconds - state.phase_seconds)
    if state.phase == KILL:
        if elapsed >= scope.stuck_seconds:
            _to_settle(state, sample)
            return [Decision("stuck", state.road, value=elapsed)]
        return []
    stalled = rate(sample.memory_stall_us, then.memory_stall_us if then is not None else None, seconds)
    # Where everybody stands still all the time, the grace is a fifth as long.
    state.grace_used += min(seconds, 1.0) * (1 + GRACE_STALL_TIMES * min(1.0, (stalled or 0.0) / 1e6))
    last = int(level_kb(scope.kill, sample.total_kb) * LAST_SHARE)
    if sample.available_kb <= last:
        evidence: tuple[Evidence, ...] = (("available_kb", sample.available_kb, "<=", last),)
    elif state.grace_used >= scope.grace_seconds:
        evidence = (("grace_seconds", shown(state.grace_used, 2, scope.grace_seconds), ">=", scope.grace_seconds),)
    else:
        return []
    state.phase = KILL
    state.phase_seconds = sample.seconds
    return [Decision("escalate", state.road, 2, (*evidence, ("waited_seconds", round(elapsed, 2), ">=", 0)))]


def _to_settle(state: State, sample: Sample) -> None:
    state.phase = SETTLE
    state.phase_seconds = state.best_seconds = sample.seconds
    state.best_kb = sample.available_kb


def _settle(scope: Scope, state: State, sample: Sample) -> list[Decision]:
    """No second kill before the first one's memory is back: until it no longer rises, and enough is there or the cool-down is over."""
    if sample.available_kb > state.best_kb * 1.01:
        state.best_kb = sample.available_kb
        state.best_seconds = sample.seconds
    still = sample.seconds - state.best_seconds
    passed = sample.seconds - state.phase_seconds
    falling = sample.available_kb < state.best_kb and sample.available_kb <= level_kb(scope.kill, sample.total_kb)
    enough = sample.available_kb > level_kb(scope.term, sample.total_kb)
    if still < BACK_SECONDS and not falling:
        return []
    if not enough and passed < scope.cool_seconds and not (falling and passed >= BACK_SECONDS):
        return []
    state.phase = WATCH
    return [Decision("settled", state.road, value=float(max(0, state.best_kb - state.before_kb)))]


def wait_seconds(
    scope: Scope, state: State, sample: Sample, rate_kb_per_second: float, swap_kb_per_second: float
) -> float:
    """How long nothing can happen: until the quickest fill of this machine could reach the limit; [0.04, 10] s."""
    if state.phase != WATCH:
        return 0.02 if state.phase in (TERM, KILL) else 0.05
    term = level_kb(scope.term, sample.total_kb)
    room = max(0, sample.available_kb - term)
    wait = room / rate_kb_per_second
    if sample.swap_total_kb:
        wait += max(0.0, sample.swap_free_kb - scope.swap_term * sample.swap_total_kb) / swap_kb_per_second
    most = 10.0
    if sample.available_kb <= max(
        level_kb(scope.thrash_low, sample.total_kb), level_kb(scope.harm_low, sample.total_kb)
    ):
        most = 1.0  # thrash and harm are looked for
    return max(0.04, min(wait, most))
