"""Exhaustion: little memory available and little swap free, now or, by the measured fill rate, in a moment."""

from __future__ import annotations

from oomlens.policy.evidence import Verdict, shown
from oomlens.policy.settings import level_kb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.sample import Sample
    from oomlens.policy.settings import Scope
    from oomlens.policy.state import State

ROAD = "exhaustion"


def detect(scope: Scope, state: State, sample: Sample) -> Verdict | None:
    """Never free memory alone: swap has to be short as well, and a quick fill rate only counts when memory is low."""
    available, total = sample.available_kb, sample.total_kb
    swap_share = sample.swap_free_kb / sample.swap_total_kb if sample.swap_total_kb else 0.0
    if swap_share > scope.swap_term:
        return None
    term, kill = level_kb(scope.term, total), level_kb(scope.kill, total)
    swap = ("swap_free_share", shown(swap_share, 4, scope.swap_term), "<=", scope.swap_term)
    if available <= kill and swap_share <= scope.swap_kill:
        return Verdict(ROAD, 2, (("available_kb", available, "<=", kill), swap))
    if available <= term:
        return Verdict(ROAD, 1, (("available_kb", available, "<=", term), swap))
    soon = int(available - state.fall_kb_per_second * scope.react_seconds)
    warn = level_kb(scope.warn, total)
    if available <= warn and soon <= kill:
        low = ("available_kb", available, "<=", warn)
        return Verdict(ROAD, 1, (low, ("available_kb_soon", soon, "<=", kill), swap))
    return None
