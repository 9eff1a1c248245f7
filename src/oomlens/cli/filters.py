"""Which incidents a person asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from oomlens.model.report import CgroupNames, Report


@dataclass(frozen=True, slots=True)
class Filters:
    """None and empty mean "any". Patterns are shell patterns; a pattern without a wildcard also matches a part."""

    since: datetime | None = None
    until: datetime | None = None
    victim: str | None = None
    cgroup: str | None = None
    unit: str | None = None
    host: str | None = None
    scopes: Collection[str] = ()
    killers: Collection[str] = ()
    kinds: Collection[str] = ()

    def match(self, report: Report) -> bool:
        """Whether a report is asked for. One without a time is never left out by `since` and `until`."""
        return (
            self._in_time(report)
            and (not self.kinds or report.kind.value in self.kinds)
            and (not self.scopes or report.scope.value in self.scopes)
            and (not self.killers or (report.killer or "") in self.killers)
            and _like(self.host, (report.host,))
            and _like(self.victim, [part for victim in report.victims for part in (victim.comm, str(victim.pid))])
            and _like(self.cgroup, _cgroups(report))
            and _like(self.unit, _units(report))
        )

    def _in_time(self, report: Report) -> bool:
        if report.time is None or (self.since is None and self.until is None):
            return True
        moment = datetime.fromisoformat(report.time)
        return (self.since is None or moment >= self.since) and (self.until is None or moment <= self.until)


def _like(pattern: str | None, texts: Collection[str | None]) -> bool:
    if pattern is None:
        return True
    wild = any(mark in pattern for mark in "*?[")
    return any(text is not None and (fnmatchcase(text, pattern) if wild else pattern in text) for text in texts)


def _cgroups(report: Report) -> list[str | None]:
    found: list[str | None] = [report.oom_memcg, report.task_memcg]
    for names in (report.oom_memcg_names, report.task_memcg_names):
        if names is not None:
            found += [names.container_id, names.container_name, names.pod_uid]
    return found


def _units(report: Report) -> list[str | None]:
    found: list[str | None] = [report.details.get("unit")]
    for names in (report.oom_memcg_names, report.task_memcg_names):
        if isinstance(names, CgroupNames):
            found += [names.unit, names.slice]
    return found
