"""A managed runtime (JVM, Node, .NET) grew to the limit: its heap setting and the limit do not fit."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Report, Scope
from oomlens.runtimes.jvm_flags import Flags
from oomlens.runtimes.jvm_heap import hotspot_heap
from oomlens.runtimes.names import runtime_of

_LARGE = 0.4


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if report.kind is Kind.APPLICATION:
        return _application(incident)
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    holders = [holder for holder in figures.holders if runtime_of(holder.comm) is not None]
    victim = next((one for one in report.victims if one.comm is not None and runtime_of(one.comm) is not None), None)
    if not holders and victim is None:
        if figures.holders or report.victims:
            seen = figures.holders[0].comm if figures.holders else report.victims[0].comm
            return ruled_out(
                Evidence("largest process", seen, None, message("no known managed runtime among the large processes"))
            )
        return undecided("tasks", "victims")
    held, comm, pid = (holders[0].held_bytes, holders[0].comm, holders[0].pid) if holders else (None, "", None)
    if (
        victim is not None
        and victim.comm is not None
        and (held is None or (victim.anon_rss_bytes or 0) > held or not figures.part(held))
    ):
        held, comm, pid = victim.anon_rss_bytes, victim.comm, victim.pid
    if held is None:
        return undecided("victims.anon_rss_bytes")
    line = victim.line if victim is not None else report.lines.get("tasks")
    share = figures.part(held)
    evidence = Evidence(
        f"held by {comm}[{pid}]",
        held,
        "bytes",
        None if share is None else f"held / {figures.pool} = {share:.2f} >= {_LARGE}",
        line,
    )
    if share is not None and share < _LARGE:
        return ruled_out(evidence._replace(comparison=f"held / {figures.pool} = {share:.2f} < {_LARGE}"))
    memcg = report.scope is Scope.MEMCG
    limit = figures.pool_bytes
    kind = runtime_of(comm)
    default = None if limit is None else hotspot_heap(limit, Flags()).max_bytes
    remedy = {"jvm": "set-jvm-heap", "node": "set-node-heap"}.get(kind or "", "cap-process-memory")
    certain = share is not None
    return found(
        evidence,
        confidence=0.85 if certain else 0.6,
        weight=(0.9 if memcg else min((share or 0) + 0.2, 0.95)) if certain else 0.6,
        remedies=(remedy, "raise-pod-limit" if memcg and _in_pod(report) else "find-leak"),
        explanation=_JVM if kind == "jvm" and default is not None else _EXPLANATION,
        process=comm,
        held_bytes=held,
        limit_bytes=limit,
        default_heap_bytes=default,
        pid=pid,
    )


def _in_pod(report: Report) -> bool:
    names = report.oom_memcg_names
    return names is not None and names.pod_uid is not None


def _application(incident: Incident) -> Outcome:
    report = incident.report
    if report.killer not in ("jvm", "node", "dotnet", "go", "php"):
        return ruled_out(Evidence("killer", report.killer))
    kind = report.details.get("kind")
    remedy = {"jvm": "set-jvm-heap", "node": "set-node-heap", "go": "set-go-memlimit"}.get(
        report.killer, "cap-process-memory"
    )
    return found(
        Evidence("message", report.message, None, message("the runtime's own error"), report.origin.first_line),
        confidence=0.9,
        weight=1.0,
        remedies=(remedy, "find-leak"),
        explanation=_own_text(kind or report.message or ""),
        runtime=report.killer,
        kind=kind or report.message,
    )


def _own_text(kind: str) -> str:
    """What part of the runtime was full, by the words of its error."""
    return next((text for words, text in _KINDS if words in kind.lower()), _OWN)


_EXPLANATION = message(
    "{process} held {held_bytes}. A managed runtime grows to its heap setting whatever else is there, and"
    " needs memory beside the heap:"
    " set the heap so that heap and the rest fit, before raising any limit."
)
_JVM = message(
    "The JVM {process} held {held_bytes} of {limit_bytes}. Without heap flags its heap would end at about"
    " {default_heap_bytes};"
    " what is above comes from -Xmx or MaxRAMPercentage, or from outside the heap (metaspace, threads, direct"
    " buffers, native code)."
    " A process killed by the kernel has not reached its own heap limit: that would have been an OutOfMemoryError."
)
_OWN = message(
    "The {runtime} runtime itself ran out of memory ({kind}): its own limit was reached, and the kernel killed nobody."
)

_KINDS = (
    (
        "metaspace",
        message(
            "The {runtime} ran out of space for classes ({kind}), not of heap: a class loader leak, or -XX:MaxMetaspaceSize is too"
            " small. The kernel killed nobody."
        ),
    ),
    (
        "class space",
        message("The {runtime} ran out of compressed class space ({kind}), not of heap. The kernel killed nobody."),
    ),
    (
        "direct buffer",
        message(
            "The {runtime} ran out of direct buffers ({kind}): memory outside the heap, limited by -XX:MaxDirectMemorySize"
            " (by default as large as the heap). The kernel killed nobody."
        ),
    ),
    (
        "native thread",
        message(
            "The {runtime} could not start a thread ({kind}): too many threads, a limit on processes (ulimit -u, TasksMax,"
            " pids.max), or no memory for a stack. The kernel killed nobody."
        ),
    ),
    (
        "native memory",
        message(
            "The {runtime} asked the system for memory outside the heap and was refused ({kind}): the machine or its overcommit limit"
            " was exhausted. The kernel killed nobody."
        ),
    ),
)

RULE = Rule(
    id="heap-exceeds-limit",
    code="OOM105",
    rank=10,
    check=check,
    title=message("The heap of a managed runtime does not fit"),
    explanation=_EXPLANATION,
    related=("cgroup-limit-reached", "anon-growth", "oversized-process"),
)
