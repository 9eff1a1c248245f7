"""Harm: cgroups that people marked as important stand still for memory while the scope is low on it."""

from __future__ import annotations

from oomlens.policy.evidence import Verdict, shown
from oomlens.policy.sample import rate
from oomlens.policy.settings import level_kb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.evidence import Evidence
    from oomlens.policy.sample import Sample
    from oomlens.policy.settings import Scope
    from oomlens.policy.state import State

ROAD = "harm"


def signs(scope: Scope, then: Sample | None, sample: Sample) -> tuple[str, tuple[Evidence, ...]] | None:
    """(the cgroup that suffers most, the comparisons that hold in this interval), or None."""
    low = level_kb(scope.harm_low, sample.total_kb)
    if then is None or sample.available_kb > low or not sample.harm_stall_us or not then.harm_stall_us:
        return None
    seconds = sample.seconds - then.seconds
    swapped = rate(sample.swapped_in_pages, then.swapped_in_pages, seconds) or 0.0
    refaults = rate(sample.file_refaults, then.file_refaults, seconds) or 0.0
    if swapped + refaults < scope.thrash_refaults:
        return None
    worst, most = "", 0.0
    for cgroup, stalled in sample.harm_stall_us.items():
        share = (rate(stalled, then.harm_stall_us.get(cgroup), seconds) or 0.0) / 1e6
        if share > most:
            worst, most = cgroup, share
    if most < scope.harm_stall:
        return None
    return worst, (
        ("available_kb", sample.available_kb, "<=", low),
        ("pages_back_per_second", shown(swapped + refaults, 0, scope.thrash_refaults), ">=", scope.thrash_refaults),
        ("harmed_cgroup", worst, "in", "harm_cgroups"),
        ("harmed_stalled_share", shown(most, 3, scope.harm_stall), ">=", scope.harm_stall),
    )


def detect(scope: Scope, state: State, sample: Sample) -> Verdict | None:
    """`state.harm_since` says since when the signs have held."""
    if state.harm_since is None or sample.seconds - state.harm_since < scope.harm_seconds:
        return None
    found = signs(scope, state.sample, sample)
    if found is None:
        return None
    lasted = (
        "lasted_seconds",
        shown(sample.seconds - state.harm_since, 1, scope.harm_seconds),
        ">=",
        scope.harm_seconds,
    )
    return Verdict(ROAD, 1, (*found[1], lasted))
