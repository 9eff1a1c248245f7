"""Short ways to decode in a test."""

from __future__ import annotations

from oomlens.decode import decode_window
from oomlens.model.report import Kind, Report


def decode(text: str | bytes) -> list[Report]:
    """All reports of a text."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return decode_window(data, 0, 1, "test", None)


def kernel_reports(text: str | bytes) -> list[Report]:
    """The kernel's own reports of a text."""
    return [report for report in decode(text) if report.kind is Kind.KERNEL]


def facts(report: Report) -> tuple[object, ...]:
    """What must not depend on the envelope: what the kernel printed."""
    invoker = report.invoker
    return (
        report.outcome,
        report.scope,
        report.constraint,
        report.oom_memcg,
        report.task_memcg,
        report.kernel_release,
        None
        if invoker is None
        else (invoker.comm, invoker.pid, invoker.gfp_mask, invoker.order, invoker.oom_score_adj),
        [
            (victim.pid, victim.comm, victim.uid, victim.total_vm_bytes, victim.anon_rss_bytes, victim.reaped)
            for victim in report.victims
        ],
        None
        if report.memcg is None
        else (report.memcg.usage_bytes, report.memcg.limit_bytes, dict(report.memcg.stats)),
        None if report.memory is None else dict(report.memory.counters),
        [(task.pid, task.comm, task.rss_bytes, task.oom_score_adj) for task in report.tasks],
    )
