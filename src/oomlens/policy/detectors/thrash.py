"""Thrash: low memory, and file pages or swap come back again and again, and tasks stand still for it, for some time.

The kernel's memory pressure alone does not see this: a refault counts as a memory stall only where the page had been active
(mm/workingset.c, workingset_refault), so a machine may stand still at 15 %. Input/output pressure does see it; reading big files raises that too,
but makes no major faults and leaves memory available. Where the kernel has no PSI, many major faults stand for the stall.
"""

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

ROAD = "thrash"
MAJOR_FAULTS_PER_SECOND = 20.0
MAJOR_FAULTS_WITHOUT_PSI = 100.0


def signs(scope: Scope, then: Sample | None, sample: Sample) -> tuple[Evidence, ...] | None:
    """The comparisons that all hold in this interval, or None."""
    low = level_kb(scope.thrash_low, sample.total_kb)
    if then is None or sample.available_kb > low:
        return None
    seconds = sample.seconds - then.seconds
    refaults = rate(sample.file_refaults, then.file_refaults, seconds) or 0.0
    swapped = rate(sample.swapped_in_pages, then.swapped_in_pages, seconds) or 0.0
    back = max(refaults, swapped)
    faults = rate(sample.major_faults, then.major_faults, seconds)
    if back < scope.thrash_refaults or faults is None or faults < MAJOR_FAULTS_PER_SECOND:
        return None
    shares = [
        rate(sample.io_stall_us, then.io_stall_us, seconds),
        rate(sample.memory_stall_us, then.memory_stall_us, seconds),
    ]
    known = [share / 1e6 for share in shares if share is not None]
    if known and max(known) < scope.thrash_stall:
        return None
    if not known and faults < MAJOR_FAULTS_WITHOUT_PSI:
        return None
    return (
        ("available_kb", sample.available_kb, "<=", low),
        ("pages_back_per_second", shown(back, 0, scope.thrash_refaults), ">=", scope.thrash_refaults),
        (
            "major_faults_per_second",
            shown(faults, 0, MAJOR_FAULTS_PER_SECOND if known else MAJOR_FAULTS_WITHOUT_PSI),
            ">=",
            MAJOR_FAULTS_PER_SECOND if known else MAJOR_FAULTS_WITHOUT_PSI,
        ),
        *((("stalled_share", shown(max(known), 3, scope.thrash_stall), ">=", scope.thrash_stall),) if known else ()),
    )


def detect(scope: Scope, state: State, sample: Sample) -> Verdict | None:
    """`state.thrash_since` says since when the signs have held."""
    if state.thrash_since is None or sample.seconds - state.thrash_since < scope.thrash_seconds:
        return None
    found = signs(scope, state.sample, sample)
    if found is None:
        return None
    lasted = (
        "lasted_seconds",
        shown(sample.seconds - state.thrash_since, 1, scope.thrash_seconds),
        ">=",
        scope.thrash_seconds,
    )
    return Verdict(ROAD, 1, (*found, lasted))
