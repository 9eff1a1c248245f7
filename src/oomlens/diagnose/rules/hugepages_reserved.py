"""A pool of huge pages holds memory that nobody else can use."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope

_LARGE = 0.1


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if report.scope is Scope.MEMCG:
        return ruled_out(
            Evidence("constraint", report.constraint, None, message("a cgroup limit does not count hugetlb pages"))
        )
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    share = figures.share("hugetlb_bytes")
    if share is None:
        return undecided("memory.hugepages")
    if share < _LARGE:
        return ruled_out(figures.share_evidence("hugetlb_bytes", "<", _LARGE))
    free = figures.get("hugetlb_free_bytes")
    idle = figures.part(free) or 0.0
    return found(
        figures.share_evidence("hugetlb_bytes", ">=", _LARGE),
        figures.evidence("hugetlb_free_bytes", message("free pages of the pools")),
        confidence=0.9,
        weight=min(share + (0.3 if idle > _LARGE / 2 else 0.1), 0.95),
        remedies=("release-hugepages",),
        pool_bytes=figures.get("hugetlb_bytes"),
        pool_share=share,
        free_bytes=free,
    )


RULE = Rule(
    id="hugepages-reserved",
    code="OOM112",
    rank=7,
    check=check,
    title=message("Memory is set aside as huge pages"),
    explanation=message(
        "Pools of huge pages hold {pool_bytes} ({pool_share} of RAM), {free_bytes} of it unused. Nothing else"
        " can use that memory, and the kernel does not take it back under pressure."
    ),
    related=("unaccounted-memory", "victim-not-culprit"),
)
