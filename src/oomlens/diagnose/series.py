"""Incidents of one subject over time: the same cgroup, unit or program, killed again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from oomlens.model.report import CgroupNames, Kind, Report

_CLUSTER_SECONDS = 120.0
_CLUSTER_COUNT = 3


@dataclass(frozen=True, slots=True)
class Series:
    """Kills of one subject, oldest first.

    interval_seconds: median time between two; None where fewer than two have a time.
    held_bytes: what each victim held, as far as it is known.
    """

    subject: str
    host: str | None
    count: int
    first_time: str | None
    last_time: str | None
    interval_seconds: float | None
    held_bytes: tuple[int, ...]
    ids: tuple[str, ...]


def subject_of(report: Report) -> str:
    """What an incident is about, the same at its next occurrence: pod, container, unit, or the victim's name."""
    names = report.oom_memcg_names or report.task_memcg_names
    return _stable(names) or (report.victims[0].comm if report.victims else None) or report.oom_memcg or "?"


def _stable(names: CgroupNames | None) -> str | None:
    if names is None:
        return None
    stable = names.pod_uid or names.container_id or names.unit
    return stable if stable is not None and not stable.startswith(("session-", "user@")) else None


def same_subject(one: Report, other: Report) -> bool:
    """Whether two incidents are about the same program or cgroup on the same host."""
    if one.host is not None and other.host is not None and one.host != other.host:
        return False
    return subject_of(one) == subject_of(other)


def series_of(reports: Sequence[Report]) -> Series:
    """One series of reports that have the same subject."""
    ordered = sorted(reports, key=lambda report: report.time or "")
    times = [datetime.fromisoformat(report.time) for report in ordered if report.time is not None]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    held = [size for report in ordered for victim in report.victims[:1] if (size := victim.anon_rss_bytes) is not None]
    return Series(
        subject=subject_of(ordered[-1]),
        host=ordered[-1].host,
        count=len(ordered),
        first_time=ordered[0].time,
        last_time=ordered[-1].time,
        interval_seconds=median(gaps) if gaps else None,
        held_bytes=tuple(held),
        ids=tuple(report.id for report in ordered),
    )


def all_series(reports: Iterable[Report]) -> tuple[Series, ...]:
    """All subjects that were hit, the most often hit first."""
    grouped: dict[tuple[str | None, str], list[Report]] = {}
    for report in reports:
        grouped.setdefault((report.host, subject_of(report)), []).append(report)
    made = [series_of(group) for group in grouped.values()]
    return tuple(sorted(made, key=lambda series: (-series.count, series.subject)))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Several incidents on one host, close together: one shortage that took several victims."""

    host: str | None
    count: int
    first_time: str
    last_time: str
    seconds: float
    ids: tuple[str, ...]


def clusters(reports: Iterable[Report]) -> tuple[Cluster, ...]:
    """Groups of at least three kills by the kernel on one host, no more than two minutes between neighbours, oldest first."""
    by_host: dict[str | None, list[tuple[datetime, Report]]] = {}
    for report in reports:
        if report.time is not None and report.kind is Kind.KERNEL:
            by_host.setdefault(report.host, []).append((datetime.fromisoformat(report.time), report))
    found = []
    for host, timed in by_host.items():
        timed.sort(key=lambda entry: entry[0])
        group: list[tuple[datetime, Report]] = []
        for moment, report in timed:
            if group and (moment - group[-1][0]).total_seconds() > _CLUSTER_SECONDS:
                found += _cluster(host, group)
                group = []
            group.append((moment, report))
        found += _cluster(host, group)
    return tuple(sorted(found, key=lambda cluster: cluster.first_time))


def _cluster(host: str | None, group: Sequence[tuple[datetime, Report]]) -> list[Cluster]:
    if len(group) < _CLUSTER_COUNT:
        return []
    first, last = group[0][0], group[-1][0]
    ids = tuple(report.id for _, report in group)
    return [Cluster(host, len(group), first.isoformat(), last.isoformat(), (last - first).total_seconds(), ids)]
