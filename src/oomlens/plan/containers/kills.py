"""Reports of the kernel -> the kills of one container."""

from __future__ import annotations

from collections.abc import Iterable

from oomlens.model.container import Kill
from oomlens.model.report import CgroupNames, Kind, Outcome, Report

_SHORTEST = 12  # digits of an id that are shown, and are enough


def kills_of(reports: Iterable[Report], container_id: str) -> tuple[Kill, ...]:
    """In the order of the reports."""
    found: list[Kill] = []
    for report in reports:
        own = _is(report.oom_memcg_names, container_id)
        if report.kind is not Kind.KERNEL or report.outcome is not Outcome.KILLED:
            continue
        if own or _is(report.task_memcg_names, container_id):
            victim = report.victims[0].comm if report.victims else None
            limit = report.memcg.limit_bytes if report.memcg is not None else None
            found.append(Kill(report.id, victim, limit, own))
    return tuple(found)


def _is(names: CgroupNames | None, container_id: str) -> bool:
    found = names.container_id if names is not None else None
    return found is not None and len(found) >= _SHORTEST and container_id.startswith(found)
