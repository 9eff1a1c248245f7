"""Report and history -> the past of an incident: how the victim, its cgroup and the machine grew, and what began just before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from oomlens.diagnose.figures import figures_of, held_by
from oomlens.diagnose.shape import judge
from oomlens.model.history import CgroupFigures, History, Kill, ProcessFigures, Sample
from oomlens.model.history_series import Point, Series, cgroup_series, kill_of, process_in, process_series
from oomlens.model.past import Curve, Grower, Past, Shape, Started
from oomlens.model.report import Memcg, Report, Scope, Victim
from oomlens.model.sampling import process_figures

# What a sample's time and a log's time may differ by.
CLOCK_SECONDS = 2.0
# A report may be this much younger than the last sample: a machine that is dying is sampled late.
LATE_SECONDS = 180.0
STARTED_SECONDS = 300.0
GROWTH_SECONDS = 600.0
_MOST_TOLD = 5
_LOOKED_AT = 50  # samples, for a victim that was too small to be kept in the last ones
# Below this part of what ran out, and below this size, nothing is worth telling.
_TOLD_SHARE, _TOLD_BYTES = 0.01, 16 << 20


def moment_of(report: Report, history: History) -> float | None:
    """When the kill was, on the clock of the samples; None where neither recorder nor log say."""
    kill = kill_of(history.kills, report.id)
    if kill is not None:
        return kill.time_seconds
    try:
        return datetime.fromisoformat(report.time).timestamp() if report.time is not None else None
    except ValueError:
        return None


def belongs(report: Report, history: History, *, same_machine: bool) -> bool:
    """Whether a history tells of the machine and the time of a report.

    same_machine: the caller knows that the report is of the machine whose history it is. Otherwise the recorder must have seen
    the kill itself, or the victim must be in the last sample under its name.
    """
    if kill_of(history.kills, report.id) is not None:
        return True
    at = moment_of(report, history)
    if at is None:
        return False
    samples = samples_before(history.samples, at)
    if not samples or at - samples[-1].time_seconds > LATE_SECONDS:
        return False
    hosts = {file.begin.host for file in history.files if file.begin is not None and file.begin.host is not None}
    if (
        report.host is not None
        and hosts
        and report.host.partition(".")[0] not in {host.partition(".")[0] for host in hosts}
    ):
        return False
    return same_machine or any(_row_of(victim, samples) is not None for victim in report.victims)


def samples_before(samples: Sequence[Sample], at: float, *, exact: bool = False) -> list[Sample]:
    """The samples of the boot that the time falls in, up to it.

    exact: the time is on the samples' own clock; else those that a log's clock may have put behind the kill count as long as the
    kernel's counter does not show it.
    """
    found = [sample for sample in samples if sample.time_seconds <= at + (0.0 if exact else CLOCK_SECONDS)]
    while len(found) > 1 and found[-1].time_seconds > at - CLOCK_SECONDS and _killed_between(found[-2], found[-1]):
        found.pop()
    return [sample for sample in found if sample.boot_id == found[-1].boot_id] if found else []


def _killed_between(earlier: Sample, later: Sample) -> bool:
    before, after = earlier.host.oom_kills, later.host.oom_kills
    return before is not None and after is not None and after > before


def past_of(report: Report, history: History) -> Past | None:
    """The past of a report that `belongs` to a history; None where nothing was recorded before it."""
    at = moment_of(report, history)
    if at is None:
        return None
    kill = kill_of(history.kills, report.id)
    samples = samples_before(history.samples, at, exact=kill is not None)
    if not samples:
        return None
    victim = _victim_curve(report, kill, samples, at)
    cgroup = _cgroup_curve(report, samples, at)
    machine = _machine_curve(samples)
    # Within a cgroup's limit, the machine's curve is only the surroundings.
    telling = (victim, cgroup) if report.scope is Scope.MEMCG else (victim, cgroup, machine)
    shapes = [curve.shape for curve in telling if curve is not None and curve.shape is not Shape.UNKNOWN]
    return Past(
        kill_seconds=at,
        before_seconds=max(0.0, at - samples[-1].time_seconds),
        samples=len(samples),
        recorded=kill is not None,
        whole=kill is not None and kill.snapshot is not None,
        victim=victim,
        cgroup=cgroup,
        machine=machine,
        verdict=shapes[0] if shapes else Shape.UNKNOWN,
        started=_started(report, kill, samples, at),
        growers=_growers(report, samples, at),
        containers=_containers(report, kill, samples),
    )


def _row_of(victim: Victim, samples: Sequence[Sample]) -> ProcessFigures | None:
    """The victim in the last sample that has it, by pid and name."""
    pid = victim.tgid if victim.tgid is not None else victim.pid
    if pid is None:
        return None
    for sample in reversed(samples[-_LOOKED_AT:]):
        row = process_in(sample, pid)
        if row is not None:
            return row if victim.comm is None or row.comm == victim.comm else None
    return None


def _victim_curve(report: Report, kill: Kill | None, samples: Sequence[Sample], at: float) -> Curve | None:
    if not report.victims:
        return None
    victim = report.victims[0]
    row = _row_of(victim, samples) or _row_in_snapshot(victim, kill)
    if row is None:
        name = f"{victim.comm or '?'}[{victim.pid if victim.pid is not None else '?'}]"
        return Curve("process", name, "held_bytes", (), Shape.UNKNOWN, reason="not-recorded")
    points = process_series(samples, row.pid, row.started_uptime_seconds)
    points = _with_end(points, at, _held_at_kill(report, victim))
    uptime = samples[-1].uptime_seconds
    age = None
    if uptime is not None:
        age = max(0.0, uptime + at - samples[-1].time_seconds - row.started_uptime_seconds)
    pool = figures_of(report).pool_bytes or samples[-1].host.total_bytes
    return _curve("process", f"{row.comm}[{row.pid}]", "held_bytes", points, pool, age_seconds=age)


def _row_in_snapshot(victim: Victim, kill: Kill | None) -> ProcessFigures | None:
    if kill is None or kill.snapshot is None:
        return None
    pid = victim.tgid if victim.tgid is not None else victim.pid
    found = next((each for each in kill.snapshot.processes if each.pid == pid and each.comm == victim.comm), None)
    return process_figures(found) if found is not None else None


def _held_at_kill(report: Report, victim: Victim) -> int | None:
    """What the report says that it held: from the task table, which has the swap, else from the kill line."""
    task = next((task for task in report.tasks if task.pid == victim.pid), None)
    held = held_by(task) if task is not None else None
    if held is not None and held[1] == "bytes":
        return held[0]
    parts = (
        victim.anon_rss_bytes,
        victim.file_rss_bytes,
        victim.shmem_rss_bytes,
        victim.pgtables_bytes,
        victim.swap_bytes,
    )
    known = [part for part in parts if part is not None]
    return sum(known) if victim.anon_rss_bytes is not None else None


def _cgroup_curve(report: Report, samples: Sequence[Sample], at: float) -> Curve | None:
    """What the cgroup held without page cache, which goes where memory gets short."""
    for path in (report.oom_memcg, report.task_memcg):
        points = cgroup_series(samples, path, "held_bytes") if path is not None else ()
        if path is not None and points:
            memcg = report.memcg if path == report.oom_memcg else None
            limit = memcg.limit_bytes if memcg is not None else None
            if limit is None:
                limit = next((row.effective_max_bytes for row in _rows(samples[-1:], path)), None)
            return _curve("cgroup", path, "held_bytes", _with_end(points, at, _held_by(memcg)), limit)
    return None


def _held_by(memcg: Memcg | None) -> int | None:
    """The report's usage of the cgroup without page cache and reclaimable slab; None where it does not say."""
    if memcg is None or memcg.usage_bytes is None:
        return None
    cache = [memcg.stats.get(name) for name in ("active_file", "inactive_file")]
    if any(part is None for part in cache):
        return None
    return max(0, memcg.usage_bytes - sum(part or 0 for part in cache) - memcg.stats.get("slab_reclaimable", 0))


def _rows(samples: Iterable[Sample], path: str) -> list[CgroupFigures]:
    return [row for sample in samples for row in sample.cgroups if row.path == path]


def _machine_curve(samples: Sequence[Sample]) -> Curve | None:
    points = tuple(
        Point(sample.time_seconds, sample.host.total_bytes - sample.host.available_bytes)
        for sample in samples
        if sample.host.total_bytes is not None and sample.host.available_bytes is not None
    )
    return _curve("machine", "", "used_bytes", points, samples[-1].host.total_bytes) if points else None


def _with_end(points: Series, at: float, value: int | None) -> Series:
    """The curve with the report's own figure at its end."""
    before = tuple(point for point in points if point.time_seconds < at)
    return (*before, Point(at, value)) if value is not None else points


def _curve(
    subject: str, name: str, figure: str, points: Series, top: int | None, *, age_seconds: float | None = None
) -> Curve:
    judged = judge(points, age_seconds=age_seconds)
    return Curve(
        subject, name, figure, points, judged.shape, judged.evidence, judged.bytes_per_second, top, judged.reason
    )


def _worth_telling(report: Report, samples: Sequence[Sample]) -> int:
    pool = figures_of(report).pool_bytes or samples[-1].host.total_bytes
    return min(int(_TOLD_SHARE * pool), _TOLD_BYTES) if pool else _TOLD_BYTES


def _inside(report: Report) -> Callable[[str | None], bool]:
    """Whether a cgroup is concerned: for a cgroup's limit its own tree, else all."""
    path = report.oom_memcg
    if report.scope is not Scope.MEMCG or path in (None, "/"):
        return lambda _path: True
    return lambda place: place is not None and (place == path or place.startswith(f"{path}/"))


def _started(report: Report, kill: Kill | None, samples: Sequence[Sample], at: float) -> tuple[Started, ...]:
    """Processes that are not older than five minutes at the kill, the largest first."""
    rows: Iterable[ProcessFigures] = samples[-1].processes
    uptime, taken = samples[-1].uptime_seconds, samples[-1].time_seconds
    if kill is not None and kill.snapshot is not None:
        rows = [process_figures(each) for each in kill.snapshot.processes if not each.kernel_thread]
        uptime, taken = kill.snapshot.host.uptime_seconds, kill.snapshot.time_seconds or taken
    if uptime is None:
        return ()
    concerned, least = _inside(report), _worth_telling(report, samples)
    found = [
        Started(
            row.pid, row.comm, round(uptime + at - taken - row.started_uptime_seconds, 1), row.held_bytes, row.cgroup
        )
        for row in rows
        if concerned(row.cgroup) and (row.held_bytes or 0) >= least
    ]
    found = [one for one in found if 0 <= one.seconds_before <= STARTED_SECONDS]
    return tuple(sorted(found, key=lambda one: -(one.held_bytes or 0))[:_MOST_TOLD])


def _growers(report: Report, samples: Sequence[Sample], at: float) -> tuple[Grower, ...]:
    """Processes and cgroups that grew most within the last ten minutes."""
    window = [sample for sample in samples if at - sample.time_seconds <= GROWTH_SECONDS]
    if len(window) < 2:
        return ()
    first, last = window[0], window[-1]
    seconds = last.time_seconds - first.time_seconds
    concerned, least = _inside(report), _worth_telling(report, samples)
    found: list[Grower] = []
    earlier = {row[:2]: row.held_bytes for row in first.processes}
    for row in last.processes:
        # One that began within the window has grown from nothing; of one that was too small to be kept nothing is known.
        began = first.uptime_seconds is not None and row.started_uptime_seconds >= first.uptime_seconds
        was = earlier.get(row[:2], 0 if began else None)
        if was is not None and row.held_bytes is not None and concerned(row.cgroup):
            found.append(Grower("process", f"{row.comm}[{row.pid}]", row.held_bytes - was, row.held_bytes, seconds))
    held = {each.path: each.held_bytes for each in first.cgroups}
    for each in last.cgroups:
        before = held.get(each.path)
        if before is not None and each.held_bytes is not None and each.path != "/" and concerned(each.path):
            found.append(Grower("cgroup", each.path, each.held_bytes - before, each.held_bytes, seconds))
    grown = [one for one in found if one.grown_bytes >= least]
    return tuple(sorted(grown, key=lambda one: -one.grown_bytes)[: 2 * _MOST_TOLD])


def _containers(report: Report, kill: Kill | None, samples: Sequence[Sample]) -> tuple[tuple[str, str], ...]:
    """What the containers of the report were called, from the kill or the last samples."""
    found: dict[str, str] = {}
    for path, label in kill.labels if kill is not None else ():
        told = " ".join(part for part in (label.pod_path, label.name) if part)
        if told:
            found[path] = f"{told} ({label.image})" if label.image else told
    for place in (report.oom_memcg, report.task_memcg):
        for each in _rows(samples[-1:], place) if place is not None and place not in found else ():
            told = " ".join(part for part in (each.pod, each.container) if part)
            if told:
                found[each.path] = told
    return tuple(found.items())
