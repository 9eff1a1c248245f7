"""One-line facts of a report that several renderers show: whom, where, how much, why in a few words."""

from __future__ import annotations

from oomlens.i18n import Translate
from oomlens.model.report import CgroupNames, Kind, Outcome, Report, Scope, Trigger, Victim
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size


def resident(victim: Victim) -> int | None:
    """What the victim held in RAM: anon + file + shmem as far as they are printed."""
    parts = [
        part for part in (victim.anon_rss_bytes, victim.file_rss_bytes, victim.shmem_rss_bytes) if part is not None
    ]
    return sum(parts) if parts else victim.rss_bytes


def who(report: Report, tr: Translate) -> str:
    """`java[12345]`, `java[12345] +3`, or what happened instead of a kill."""
    if report.victims:
        first = report.victims[0]
        name = visible(first.comm if first.comm is not None else "?")
        more = f" +{len(report.victims) - 1}" if len(report.victims) > 1 else ""
        return f"{name}[{first.pid if first.pid is not None else '?'}]{more}"
    return {
        Outcome.PANIC: tr("(panic)"),
        Outcome.NO_KILLABLE_PROCESS: tr("(nobody to kill)"),
        Outcome.NOT_KILLED: tr("(not killed)"),
    }.get(report.outcome, tr("(unknown)"))


def how_much(report: Report) -> int | None:
    """Memory that the victims held in RAM, together; None where no line says."""
    sizes = [held for victim in report.victims if (held := resident(victim)) is not None]
    return sum(sizes) if sizes else None


def short_name(names: CgroupNames) -> str:
    """What people call a cgroup: pod, container, unit, slice, or the path's end."""
    parts: list[str] = []
    if names.pod_name or names.pod_uid:
        parts.append(names.pod_name or f"pod {(names.pod_uid or '')[:8]}")
    if names.container_name:
        parts.append(names.container_name)
    elif names.container_id:
        parts.append(f"{names.runtime or 'container'} {names.container_id[:12]}")
    if not parts and names.job:
        parts.append(names.job)
    if not parts:
        parts.append(names.unit or names.slice or names.path.rstrip("/").rsplit("/", 1)[-1] or "/")
    return visible(" / ".join(parts))


def where(report: Report, tr: Translate) -> str:
    """`memcg docker 0f2b3fcdd257`, `global (myapp.service)`."""
    scope = report.scope.value if report.scope is not Scope.UNKNOWN else tr("unknown")
    if report.scope is Scope.MEMCG:
        names = report.oom_memcg_names or report.task_memcg_names
        return f"{scope} {short_name(names)}" if names is not None else scope
    names = report.task_memcg_names
    return f"{scope} ({short_name(names)})" if names is not None and names.path not in ("", "/") else scope


def limit(report: Report) -> int | None:
    """The limit that was reached, where it is a cgroup's."""
    return report.memcg.limit_bytes if report.memcg is not None else None


def cause_line(report: Report, tr: Translate) -> str:
    """What the report itself shows, in a few words; the diagnosis says more."""
    if report.kind is not Kind.KERNEL:
        by = tr("told by {program}").format(program=report.details.get("reported_by", report.killer or "?"))
        return visible(by if report.kind is Kind.NOTICE else f"{report.killer}: {report.message or ''}"[:100])
    if report.trigger is Trigger.SYSRQ:
        return tr("by hand (sysrq-f)")
    if report.panic is not None:
        return tr("panic: {text}").format(text=visible(report.panic))
    if report.outcome is Outcome.NO_KILLABLE_PROCESS:
        return tr("no killable process, {count} times").format(count=report.repeats)
    if report.scope is Scope.MEMCG:
        return _memcg_cause(report, tr)
    if report.scope is Scope.CPUSET:
        return tr("memory nodes {nodes} of the cpuset are full").format(nodes=report.mems_allowed or "?")
    if report.scope is Scope.MEMPOLICY:
        return tr("memory nodes {nodes} of the policy are full").format(nodes=report.nodemask or "?")
    order = report.invoker.order if report.invoker is not None else None
    if order is not None and order > 0:
        return tr("no free block of order {order}").format(order=order)
    return _global_cause(report, tr)


def _memcg_cause(report: Report, tr: Translate) -> str:
    memcg = report.memcg
    if memcg is not None and memcg.limit_bytes is not None:
        swap = (
            tr(", no swap left")
            if memcg.swap_limit_bytes is not None and memcg.swap_limit_bytes == memcg.swap_usage_bytes
            else ""
        )
        return tr("limit {limit} reached").format(limit=size(memcg.limit_bytes)) + swap
    return tr("limit of the cgroup reached")


def _global_cause(report: Report, tr: Translate) -> str:
    memory = report.memory
    total, free = (
        (memory.get("swap_total_bytes"), memory.get("swap_free_bytes")) if memory is not None else (None, None)
    )
    if total == 0:
        return tr("RAM is full, no swap")
    if total is not None and free is not None:
        if free < total // 20:
            return tr("RAM and swap are full")
        return tr("RAM is full, {free} of {total} swap free").format(free=size(free), total=size(total))
    return tr("the machine ran out of memory")
