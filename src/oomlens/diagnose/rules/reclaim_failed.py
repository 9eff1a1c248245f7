"""Memory was free, or could have been freed, and a task was killed all the same."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import ample_free
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Scope, Trigger

_CACHE = 0.4


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (
        report.kind is not Kind.KERNEL
        or report.trigger is Trigger.SYSRQ
        or report.scope in (Scope.CPUSET, Scope.MEMPOLICY)
    ):
        return ruled_out(Evidence("scope", report.scope.value, None, message("free memory elsewhere says nothing")))
    if report.scope is Scope.MEMCG:
        return _cgroup(figures)
    free = ample_free(figures)
    if free is not None:
        return found(
            free,
            confidence=0.85,
            weight=0.9,
            remedies=("find-oom-log", "disable-panic-on-oom"),
            explanation=_FREE,
            free_bytes=figures.get("free_bytes") or free.value,
        )
    file = figures.share("file_bytes")
    if file is None:
        return undecided("memory.active_file_bytes")
    loose = file - (figures.part(max(figures.get("unevictable_bytes") or 0, 0)) or 0.0)
    if loose < _CACHE:
        return ruled_out(figures.share_evidence("file_bytes", "<", _CACHE))
    dirty = (figures.get("dirty_bytes") or 0) + (figures.get("writeback_bytes") or 0)
    return found(
        figures.share_evidence("file_bytes", ">=", _CACHE),
        figures.evidence("dirty_bytes"),
        confidence=0.75,
        weight=0.4 if _order(incident) > 0 else min(loose, 0.9),
        remedies=("drop-caches", "raise-min-free", "find-oom-log"),
        file_bytes=figures.get("file_bytes"),
        dirty_bytes=dirty,
    )


def _order(incident: Incident) -> int:
    invoker = incident.report.invoker
    return invoker.order or 0 if invoker is not None else 0


def _cgroup(figures: Figures) -> Outcome:
    share = figures.share("memcg.file_bytes")
    if share is None:
        return undecided("memcg.stats")
    if share < _CACHE:
        return ruled_out(figures.share_evidence("memcg.file_bytes", "<", _CACHE))
    return found(
        figures.share_evidence("memcg.file_bytes", ">=", _CACHE),
        confidence=0.75,
        weight=0.6,
        remedies=("raise-cgroup-limit", "find-oom-log"),
        explanation=_CGROUP,
        file_bytes=figures.get("memcg.file_bytes"),
    )


_FREE = message(
    "Memory was free ({free_bytes}, far above the watermarks) and yet a task was to be killed. The request's"
    " flags, a race with freeing, or the kernel's accounting is the reason, not a shortage."
)
_CGROUP = message(
    "Page cache of {file_bytes} in the cgroup could not be reclaimed in time: dirty pages waiting to be"
    " written, or protected ones."
)

RULE = Rule(
    id="reclaim-failed",
    code="OOM118",
    rank=30,
    check=check,
    title=message("Reclaimable memory was there but not reclaimed"),
    explanation=message(
        "{file_bytes} of page cache were there and could not be reclaimed in time ({dirty_bytes} of it dirty"
        " or being written)."
    ),
    related=("memory-fragmented", "lowmem-zone-exhausted", "panic-on-oom"),
)
