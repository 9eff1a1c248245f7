"""Short ways to decode in a test, and what of a report must not depend on its way."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomlens.decode import decode_window
from oomlens.model.report import Kind, Report
from oomlens.pipeline import merge

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")


def decode(text: str | bytes) -> list[Report]:
    """All reports of a text."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return decode_window(data, 0, 1, "test", None)


def kernel_reports(text: str | bytes) -> list[Report]:
    """The kernel's own reports of a text."""
    return [report for report in decode(text) if report.kind is Kind.KERNEL]


def incidents(text: str | bytes) -> list[Report]:
    """The kernel's own reports of a text, one for each incident, as a scan of one source gives them."""
    return [report for report in merge(decode(text)) if report.kind is Kind.KERNEL]


def plain(name: str | None) -> bytes | None:
    """A process name as bytes; loggers and decoder write bytes that are not text as `\\xNN`."""
    if name is None:
        return None
    done, last = b"", 0
    for found in _ESCAPE.finditer(name):
        done += name[last : found.start()].encode("utf-8", "surrogateescape") + bytes([int(found[1], 16)])
        last = found.end()
    return done + name[last:].encode("utf-8", "surrogateescape")


def facts(report: Report) -> tuple[object, ...]:
    """What a report says, without where and when it was said: equal for the same log in another envelope."""
    invoker, memcg, memory = report.invoker, report.memcg, report.memory
    return (
        report.id,
        report.outcome,
        report.scope,
        report.constraint,
        report.repeats,
        (plain(invoker.comm), invoker.pid, invoker.gfp_mask, invoker.order, invoker.oom_score_adj) if invoker else None,
        report.kernel_release,
        report.oom_memcg,
        report.task_memcg,
        report.oom_group,
        (memcg.usage_bytes, memcg.limit_bytes, memcg.memsw_usage_bytes, dict(memcg.stats)) if memcg else None,
        (dict(memory.counters), memory.nodes, memory.zones, memory.hugepages) if memory else None,
        tuple((task.pid, task.uid, plain(task.comm), task.rss_bytes, task.oom_score_adj) for task in report.tasks),
        tuple(
            (victim.pid, plain(victim.comm), victim.uid, victim.total_vm_bytes, victim.anon_rss_bytes,
             victim.file_rss_bytes, victim.shmem_rss_bytes, victim.oom_score_adj)
            for victim in report.victims
        ),
    )  # fmt: skip


def victim_pids(reports: Sequence[Report]) -> set[int]:
    return {victim.pid for report in reports for victim in report.victims if victim.pid is not None}
