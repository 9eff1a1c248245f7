"""Reports of several sources and windows -> incidents: one report each, with where else it was seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from oomlens.model.report import Kind, Outcome, Report

_NEAR_SECONDS = 10.0


def merge(reports: Iterable[Report]) -> list[Report]:
    """One report per incident, in the order in which each was first found.

    The more complete view wins; the others become `also_in`.
    A fragment (only the reaper's line, a notice of systemd or a runtime) is folded into the kernel's report of the same kill.
    Two incidents stay two: equal pids and sizes but another host or another uptime.
    """
    kept: list[Report] = []
    by_id: dict[str, list[int]] = {}
    by_pid: dict[int, list[int]] = {}
    for report in reports:
        place = _same(report, kept, by_id, by_pid)
        if place is None:
            place = len(kept)
            kept.append(report)
        else:
            kept[place] = _joined(kept[place], report)
        for known in {report.id, kept[place].id}:
            places = by_id.setdefault(known, [])
            if place not in places:
                places.append(place)
        for victim in report.victims:
            if victim.pid is not None and place not in by_pid.setdefault(victim.pid, []):
                by_pid[victim.pid].append(place)
    return _fold_notices(kept)


def _same(report: Report, kept: list[Report], by_id: dict[str, list[int]], by_pid: dict[int, list[int]]) -> int | None:
    for place in by_id.get(report.id, ()):
        if _compatible(kept[place], report):
            return place
    if report.kind is not Kind.KERNEL:
        return None
    for victim in report.victims:
        for place in reversed(by_pid.get(victim.pid, ()) if victim.pid is not None else ()):
            other = kept[place]
            if (
                other.kind is Kind.KERNEL
                and _fragment(report, other)
                and _compatible(other, report)
                and _near(other, report)
            ):
                return place
    return None


def _fragment(report: Report, other: Report) -> bool:
    """One of the two shows only a part of the event: no size of the victim, or not more than the reaper's line."""
    for one, two in ((report, other), (other, report)):
        names = {victim.pid for victim in two.victims}
        if all(victim.pid in names and victim.total_vm_bytes is None for victim in one.victims):
            return True
    return False


def _compatible(one: Report, two: Report) -> bool:
    if one.host is not None and two.host is not None and one.host != two.host:
        return False
    if one.uptime_seconds is not None and two.uptime_seconds is not None:
        # A storm's report spans its repeats; the stamps of one line agree to the microsecond in every source.
        return abs(one.uptime_seconds - two.uptime_seconds) <= _NEAR_SECONDS
    if one.time is not None and two.time is not None:
        return (
            _apart(one.time, two.time) <= 2 * 86400.0
        )  # zones and years may have been taken from different references
    return True


def _near(one: Report, two: Report) -> bool:
    if one.uptime_seconds is not None and two.uptime_seconds is not None:
        return abs(one.uptime_seconds - two.uptime_seconds) <= 120.0
    if one.time is not None and two.time is not None:
        return _apart(one.time, two.time) <= 120.0
    if one.origin.source == two.origin.source:
        return abs(one.origin.last_byte - two.origin.first_byte) <= 1 << 20
    return False


def _apart(one: str, two: str) -> float:
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(two)).total_seconds())


def _worth(report: Report) -> tuple[bool, int, int, int, int]:
    """What makes a view of an incident the better one; not the rows, which may have been put aside (`light`)."""
    known = (report.constraint, report.task_memcg, report.uptime_seconds, report.kernel_release)
    told = sum(part is not None for part in known)
    return (
        report.complete,
        len(report.sections),
        told,
        -len(report.gaps),
        report.origin.last_line - report.origin.first_line,
    )


def latest(reports: Sequence[Report]) -> Report | None:
    """The incident that people mean: the last kill by time (by place where no time is known), notices and errors of programs last."""
    if not reports:
        return None
    kills = [report for report in reports if report.kind in (Kind.KERNEL, Kind.USERSPACE)] or list(reports)
    order = {id(report): number for number, report in enumerate(kills)}
    return max(kills, key=lambda report: (report.time is not None, _moment(report), order[id(report)]))


def _moment(report: Report) -> float:
    return datetime.fromisoformat(report.time).timestamp() if report.time is not None else 0.0


def light(report: Report) -> Report:
    """The report without what only a whole page shows; a scan of many reports keeps these."""
    return replace(report, tasks=(), trace=())


def _joined(known: Report, new: Report) -> Report:
    best, other = (new, known) if _worth(new) > _worth(known) else (known, new)
    reaped = {victim.pid: victim.reaped for victim in other.victims if victim.reaped is not None}
    victims = tuple(
        replace(victim, reaped=reaped.get(victim.pid)) if victim.reaped is None else victim for victim in best.victims
    )
    also = tuple(origin for origin in (*best.also_in, other.origin, *other.also_in) if origin != best.origin)
    same_place = other.origin.source == best.origin.source and not set(other.sections) - {"reaper"}
    if same_place:
        also = tuple(origin for origin in also if origin != other.origin)
    gaps = best.gaps
    if best.time is None and other.time is not None:
        gaps = tuple(gap for gap in gaps if gap.what != "time")
    return replace(
        best,
        victims=victims,
        also_in=tuple(dict.fromkeys(also)),
        time=best.time or other.time,
        host=best.host or other.host,
        uptime_seconds=best.uptime_seconds if best.uptime_seconds is not None else other.uptime_seconds,
        kernel_release=best.kernel_release or other.kernel_release,
        notices=tuple(dict.fromkeys((*best.notices, *other.notices))),
        gaps=gaps,
    )


def _fold_notices(reports: list[Report]) -> list[Report]:
    """Other programs' words on a kill that the kernel itself reports become that report's `notices`."""
    kills = [report for report in reports if report.kind is Kind.KERNEL and report.outcome is Outcome.KILLED]
    notices = [report for report in reports if report.kind is Kind.NOTICE]
    if not kills or not notices:
        return reports
    said: dict[int, list[str]] = {}
    folded: set[int] = set()
    for notice in notices:
        for kill in kills:
            if _speaks_of(notice, kill):
                said.setdefault(id(kill), []).append(notice.message or "")
                folded.add(id(notice))
                break
    return [
        replace(report, notices=tuple(dict.fromkeys((*report.notices, *said[id(report)]))))
        if id(report) in said
        else report
        for report in reports
        if id(report) not in folded
    ]


def _speaks_of(notice: Report, kill: Report) -> bool:
    if notice.host is not None and kill.host is not None and notice.host != kill.host:
        return False
    if notice.time is None or kill.time is None or _apart(notice.time, kill.time) > _NEAR_SECONDS:
        return False
    pids = {victim.pid for victim in notice.victims if victim.pid is not None}
    if pids:
        return bool(pids & {victim.pid for victim in kill.victims})
    about = " ".join(notice.details.values()) + " " + (notice.message or "")
    names = kill.task_memcg_names
    known = [names.unit, names.container_id, names.pod_uid] if names is not None else []
    return any(name is not None and name in about for name in known) or not any(known)
