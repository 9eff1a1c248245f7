"""Locked memory cannot be moved to swap."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Incident, Outcome
from oomlens.model.report import Scope

_LARGE = 0.25


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    if report.scope is Scope.MEMCG:
        share = figures.share("memcg.unevictable_bytes")
        name = "memcg.unevictable_bytes"
    else:
        share, name = figures.share("mlocked_bytes"), "mlocked_bytes"
    if share is None:
        return undecided("memory.zones.mlocked_bytes")
    if share < _LARGE:
        return ruled_out(figures.share_evidence(name, "<", _LARGE))
    total, used = figures.get("swap_total_bytes"), figures.get("swap_used_bytes")
    idle = total is not None and total > 0 and used is not None and used < 0.8 * total
    return found(
        figures.share_evidence(name, ">=", _LARGE),
        confidence=0.9,
        weight=min(share + 0.3, 0.95) if idle else 0.3 * share,
        remedies=("limit-memlock", "find-holder"),
        explanation=_IDLE if idle else None,
        locked_bytes=figures.get(name),
        swap_free_bytes=(total or 0) - (used or 0),
    )


_IDLE = message(
    "{locked_bytes} are locked in RAM (mlock, mlockall). Swap still had {swap_free_bytes} free, but locked"
    " memory may not go there."
)

RULE = Rule(
    id="mlocked-memory",
    code="OOM117",
    rank=12,
    check=check,
    title=message("Memory is locked in RAM"),
    explanation=message(
        "{locked_bytes} are locked in RAM (mlock, mlockall): they can neither be reclaimed nor moved to swap."
    ),
    related=("swap-absent", "anon-growth"),
)
