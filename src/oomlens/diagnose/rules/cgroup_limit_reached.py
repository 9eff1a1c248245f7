"""A memory cgroup reached its limit: the machine may have had plenty."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import CgroupNames, Kind, Scope, Trigger

# A cgroup below this part of its limit did not reach it (memory.high, a patched killer, or the limit has changed since).
_REACHED = 0.9


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if report.kind is Kind.APPLICATION or report.trigger is Trigger.SYSRQ:
        return ruled_out(Evidence("kind", report.kind.value))
    if report.scope is Scope.UNKNOWN:
        return undecided("constraint", "oom_memcg")
    if report.scope is not Scope.MEMCG:
        line = report.lines.get("constraint")
        return ruled_out(Evidence("constraint", report.constraint, None, f"scope == {report.scope.value}", line))
    if report.kind is Kind.USERSPACE:
        return ruled_out(Evidence("killer", report.killer, None, message("no limit was reached; a guard acted first")))
    if report.memcg is not None and "memory" in report.memcg.unlimited and not figures.has("memcg.memsw_limit_bytes"):
        told = Evidence(
            "memcg.limit_bytes", None, "bytes", message("the cgroup has no limit"), report.lines.get("memcg.usage")
        )
        return ruled_out(told)
    names = report.oom_memcg_names
    path = report.oom_memcg or report.task_memcg
    evidence = [
        Evidence(
            "oom_memcg",
            path,
            None,
            message("constraint is MEMCG"),
            report.lines.get("oom_memcg") or report.lines.get("constraint"),
        )
    ]
    usage, limit = figures.get("memcg.usage_bytes"), figures.get("memcg.limit_bytes")
    which, used, bound = "memory", usage, limit
    memsw_usage, memsw_limit = figures.get("memcg.memsw_usage_bytes"), figures.get("memcg.memsw_limit_bytes")
    kmem_usage, kmem_limit = figures.get("memcg.kmem_usage_bytes"), figures.get("memcg.kmem_limit_bytes")
    if (
        memsw_usage is not None
        and memsw_limit
        and memsw_usage >= 0.999 * memsw_limit
        and (not limit or (usage or 0) < 0.999 * limit)
    ):
        which, used, bound = "memory+swap", memsw_usage, memsw_limit
    elif kmem_usage is not None and kmem_limit and kmem_usage >= 0.999 * kmem_limit:
        which, used, bound = "kernel memory", kmem_usage, kmem_limit
    name = {"memory": "memcg.usage_bytes", "memory+swap": "memcg.memsw_usage_bytes"}.get(
        which, "memcg.kmem_usage_bytes"
    )
    confidence = 0.97
    if used is not None and bound:
        evidence.append(figures.evidence(name, f"{used} / {bound} = {used / bound:.2f} >= {_REACHED}"))
        if used < _REACHED * bound:
            confidence = 0.7
    parent = report.task_memcg is not None and report.oom_memcg is not None and report.task_memcg != report.oom_memcg
    if parent:
        evidence.append(
            Evidence(
                "task_memcg",
                report.task_memcg,
                None,
                message("below the cgroup whose limit was reached"),
                report.lines.get("oom_memcg"),
            )
        )
    return found(
        *evidence,
        confidence=confidence,
        weight=0.97,
        remedies=_remedies(report.task_memcg_names, names, parent),
        explanation=_PARENT if parent and bound else _EXPLANATION if bound else _NO_SIZE,
        cgroup=path,
        child=report.task_memcg,
        which=which,
        limit_bytes=bound,
        usage_bytes=used,
    )


def _remedies(victim: CgroupNames | None, limited: CgroupNames | None, parent: bool) -> tuple[str, ...]:
    names = limited or victim
    if names is None:
        return ("raise-cgroup-limit", "allow-cgroup-swap", "find-leak")
    if names.pod_uid is not None or names.manager == "kubernetes":
        return ("raise-pod-limit", "find-leak")
    if names.container_id is not None:
        return ("raise-container-limit", "find-leak")
    if names.unit is not None and not names.unit.endswith(".slice"):
        return ("raise-unit-limit", "allow-cgroup-swap", "find-leak")
    if names.slice is not None or parent:
        return ("raise-slice-limit", "raise-cgroup-limit", "find-leak")
    return ("raise-cgroup-limit", "allow-cgroup-swap", "find-leak")


_EXPLANATION = message(
    "The cgroup {cgroup} reached its {which} limit of {limit_bytes} (in use: {usage_bytes})."
    " The kernel killed inside this cgroup only; the machine itself was not necessarily short of memory."
)
_PARENT = message(
    "The limit that was reached is not that of the victim's own cgroup {child}, but of {cgroup} above it:"
    " {which} limit {limit_bytes}, in use {usage_bytes}. All cgroups below it share this limit; raising the"
    " victim's own changes nothing."
)
_NO_SIZE = message("The cgroup {cgroup} reached its memory limit; the log does not say how large it is.")

RULE = Rule(
    id="cgroup-limit-reached",
    code="OOM101",
    rank=5,
    check=check,
    title=message("The memory limit of a cgroup was reached"),
    explanation=_EXPLANATION,
    related=("heap-exceeds-limit", "shmem-growth", "swap-exhausted", "anon-growth"),
)
