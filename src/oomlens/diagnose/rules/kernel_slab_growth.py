"""The kernel's own objects (slab) took the memory."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope, Slab

_LARGE = 0.2
_LARGE_WITH_RECLAIMABLE = 0.5
_MEMCG_LARGE = 0.3
_MAIN = 0.6


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    if report.scope is Scope.MEMCG:
        return _cgroup(figures)
    share = figures.share("slab_unreclaimable_bytes")
    listed = sum(slab.total_bytes for slab in report.memory.unreclaimable_slab) if report.memory is not None else 0
    biggest = (
        max(report.memory.unreclaimable_slab, key=lambda slab: slab.total_bytes, default=None)
        if report.memory is not None
        else None
    )
    if share is None:
        if listed > 512 << 20 or (figures.get("slab_unreclaimable_bytes") or 0) > 1 << 30:
            return _found(figures, listed or figures.get("slab_unreclaimable_bytes") or 0, None, biggest, 0.7)
        if biggest is not None or "memory.unreclaimable_slab" in report.lines:
            # The kernel prints this list only where unreclaimable slab exceeds all that is on the reclaim lists
            # (should_dump_unreclaim_slab, mm/oom_kill.c, 4.15 on).
            return _found(figures, listed, None, biggest, 0.8)
        return undecided("memory.slab_unreclaimable_bytes")
    reclaimable = figures.share("slab_reclaimable_bytes") or 0.0
    if share < _LARGE and share + reclaimable < _LARGE_WITH_RECLAIMABLE:
        return ruled_out(figures.share_evidence("slab_unreclaimable_bytes", "<", _LARGE))
    return _found(figures, figures.get("slab_unreclaimable_bytes") or 0, share + reclaimable, biggest, 0.9)


def _found(figures: Figures, size: int, share: float | None, biggest: Slab | None, confidence: float) -> Outcome:
    evidence = [figures.share_evidence("slab_unreclaimable_bytes", ">=", _LARGE)]
    if biggest is not None:
        line = figures.report.lines.get("memory.unreclaimable_slab")
        evidence.append(
            Evidence(
                f"slab {biggest.name} total_bytes",
                biggest.total_bytes,
                "bytes",
                message("the largest cache of the list"),
                line,
            )
        )
    return found(
        *evidence,
        confidence=confidence,
        weight=0.7 if share is None else min(share + 0.1, 0.96),
        remedies=("inspect-slab", "drop-caches", "reserve-for-system"),
        explanation=_NAMED if biggest is not None else None,
        slab_bytes=size,
        slab_share=share,
        cache=biggest.name if biggest is not None else None,
        cache_bytes=biggest.total_bytes if biggest is not None else None,
    )


def _cgroup(figures: Figures) -> Outcome:
    name = "memcg.kernel_bytes"
    share = figures.share(name)
    kmem = figures.share("memcg.kmem_usage_bytes")
    if kmem is not None and (share is None or kmem > share):
        name, share = "memcg.kmem_usage_bytes", kmem
    if share is None:
        return undecided("memcg.stats")
    if share < _MEMCG_LARGE:
        return ruled_out(figures.share_evidence(name, "<", _MEMCG_LARGE))
    return found(
        figures.share_evidence(name, ">=", _MEMCG_LARGE),
        confidence=0.85,
        weight=0.99 if share >= _MAIN else 0.9,
        remedies=("inspect-slab", "find-leak"),
        explanation=_CGROUP,
        kernel_bytes=figures.get(name),
        kernel_share=share,
    )


_NAMED = message(
    "Kernel objects that cannot be reclaimed (slab) took {slab_bytes}; the largest cache is {cache} with"
    " {cache_bytes}. No kill of a process gives them back."
)
_CGROUP = message(
    "{kernel_bytes} of the cgroup's memory ({kernel_share}) are kernel memory on its behalf: open files,"
    " sockets, pipes, dentries, page tables."
)

RULE = Rule(
    id="kernel-slab-growth",
    code="OOM110",
    rank=8,
    check=check,
    title=message("The kernel's own objects took the memory (slab)"),
    explanation=message(
        "Kernel objects (slab) took {slab_bytes} that cannot be reclaimed. No kill of a process gives them back."
    ),
    related=("unaccounted-memory", "page-tables-large", "victim-not-culprit"),
)
