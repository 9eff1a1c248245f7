"""Snapshot -> sample: what of a machine is worth keeping every few seconds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from oomlens.model.history import CgroupFigures, ContainerLabel, HostFigures, ProcessFigures, Sample
from oomlens.model.sample_codec import rounded
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot

_NO_LABEL = ContainerLabel()


class Choice(NamedTuple):
    """How much of a machine is kept.

    processes: the largest of the machine. per_cgroup: the largest of each cgroup with a limit of its own.
    most_processes, most_cgroups: altogether. cgroup_bytes: a cgroup without limits counts from this usage on.
    """

    processes: int = 20
    per_cgroup: int = 2
    most_processes: int = 80
    most_cgroups: int = 150
    cgroup_bytes: int = 16 << 20


DEFAULT = Choice()


def sample_of(
    snapshot: Snapshot,
    *,
    labels: Mapping[str, ContainerLabel] | None = None,
    before: Sample | None = None,
    choice: Choice = DEFAULT,
) -> Sample:
    """The sample of a snapshot. labels: names of containers by cgroup path.

    before: the sample before; what was in it stays in as long as it nearly belongs, so that curves are not torn.
    """
    cgroups = _cgroups(snapshot.cgroups, labels or {}, before, choice)
    processes = _processes(snapshot, before, choice)
    uptime = snapshot.host.uptime_seconds
    return Sample(
        round(snapshot.time_seconds or 0.0, 3),
        None if uptime is None else round(uptime, 2),
        snapshot.host.boot_id,
        rounded(host_figures(snapshot.host, sum(not process.kernel_thread for process in snapshot.processes))),
        cgroups,
        processes,
    )


def host_figures(host: HostMemory, processes: int | None = None) -> HostFigures:
    """The machine's figures."""
    memory, counters = host.meminfo.get, host.vmstat.get
    pressure = host.pressure.get("memory")
    some, full = (pressure.some, pressure.full) if pressure is not None else (None, None)
    return HostFigures(
        total_bytes=memory("mem_total_bytes"),
        available_bytes=memory("mem_available_bytes"),
        free_bytes=memory("mem_free_bytes"),
        anon_bytes=memory("anon_pages_bytes"),
        file_bytes=_sum(memory("active_file_bytes"), memory("inactive_file_bytes")),
        shmem_bytes=memory("shmem_bytes"),
        slab_reclaimable_bytes=memory("sreclaimable_bytes"),
        slab_unreclaimable_bytes=memory("sunreclaim_bytes"),
        pagetables_bytes=memory("page_tables_bytes"),
        kernel_stack_bytes=memory("kernel_stack_bytes"),
        hugetlb_bytes=memory("hugetlb_bytes"),
        committed_bytes=memory("committed_as_bytes"),
        swap_total_bytes=memory("swap_total_bytes"),
        swap_free_bytes=memory("swap_free_bytes"),
        some_avg10_percent=some.avg10_percent if some is not None else None,
        full_avg10_percent=full.avg10_percent if full is not None else None,
        some_stalled_seconds=some.total_seconds if some is not None else None,
        full_stalled_seconds=full.total_seconds if full is not None else None,
        major_faults=counters("pgmajfault"),
        swapped_in_pages=counters("pswpin"),
        swapped_out_pages=counters("pswpout"),
        oom_kills=host.oom_kills,
        processes=processes,
    )


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def cgroup_figures(usage: CgroupUsage, label: ContainerLabel = _NO_LABEL) -> CgroupFigures:
    """A cgroup's figures; names that its path holds count where the label has none."""
    prefix = "total_" if usage.version == 1 else ""
    stat = usage.stat.get
    first = usage.version == 1
    pressure = usage.pressure.some if usage.pressure is not None else None
    return CgroupFigures(
        path=usage.path,
        current_bytes=usage.current_bytes,
        max_bytes=usage.max_bytes,
        high_bytes=usage.high_bytes,
        effective_max_bytes=usage.effective_max_bytes,
        swap_current_bytes=usage.swap_current_bytes,
        swap_max_bytes=usage.swap_max_bytes,
        anon_bytes=stat("total_rss") if first else stat("anon"),
        file_bytes=_sum(stat(f"{prefix}active_file"), stat(f"{prefix}inactive_file")),
        shmem_bytes=stat(f"{prefix}shmem"),
        slab_reclaimable_bytes=stat("slab_reclaimable"),
        kernel_bytes=None if first else stat("kernel"),
        oom_kills=usage.events.get("oom_kill"),
        some_avg10_percent=pressure.avg10_percent if pressure is not None else None,
        container=label.name or usage.names.container_name,
        pod=label.pod_path or usage.names.pod_uid,
    )


def process_figures(process: Process) -> ProcessFigures:
    """A process's figures."""
    return ProcessFigures(
        pid=process.pid,
        started_uptime_seconds=round(process.started_uptime_seconds, 2),
        comm=process.comm,
        uid=process.uid,
        cgroup=process.cgroup,
        rss_bytes=process.rss_bytes,
        rss_anon_bytes=process.rss_anon_bytes,
        swap_bytes=process.swap_bytes,
        pgtables_bytes=process.pgtables_bytes,
        oom_score_adj=process.oom_score_adj,
    )


def held_bytes(process: Process) -> int:
    """What counts when processes are ordered by size; what is not known counts for nothing here."""
    return (process.rss_bytes or 0) + (process.swap_bytes or 0) + (process.pgtables_bytes or 0)


def has_limit(usage: CgroupUsage) -> bool:
    """Whether the cgroup has a limit of its own."""
    limits = (usage.max_bytes, usage.high_bytes, usage.swap_max_bytes, usage.memsw_max_bytes)
    return any(limit is not None for limit in limits)


def _cgroups(
    usages: Iterable[CgroupUsage], labels: Mapping[str, ContainerLabel], before: Sample | None, choice: Choice
) -> tuple[CgroupFigures, ...]:
    known = {row.path for row in before.cgroups} if before is not None else set()
    found = [
        usage
        for usage in usages
        if has_limit(usage)
        or (usage.current_bytes or 0) >= (choice.cgroup_bytes // 2 if usage.path in known else choice.cgroup_bytes)
    ]
    if len(found) > choice.most_cgroups:
        found.sort(key=lambda usage: (not has_limit(usage), -(usage.current_bytes or 0)))
        del found[choice.most_cgroups :]
    rows = {usage.path: cgroup_figures(usage, labels.get(usage.path, _NO_LABEL)) for usage in found}
    return tuple(rounded(rows[path]) for path in sorted(rows))


def _processes(snapshot: Snapshot, before: Sample | None, choice: Choice) -> tuple[ProcessFigures, ...]:
    programs = [process for process in snapshot.processes if not process.kernel_thread]
    programs.sort(key=held_bytes, reverse=True)
    known = {row[:2] for row in before.processes} if before is not None else set()
    chosen = programs[: choice.processes]
    nearly = programs[choice.processes : choice.processes * 3 // 2]
    chosen += [each for each in nearly if (each.pid, round(each.started_uptime_seconds, 2)) in known]
    limited = {usage.path for usage in snapshot.cgroups if has_limit(usage) and usage.path != "/"}
    chosen += _largest_in(programs, limited, choice.per_cgroup)
    rows = {process.pid: process for process in chosen[: choice.most_processes]}
    return tuple(process_figures(rows[pid]) for pid in sorted(rows))


def _largest_in(ordered: Sequence[Process], limited: set[str], count: int) -> list[Process]:
    """The largest of each cgroup with a limit, whose own tree they are in; the innermost such cgroup counts."""
    taken: dict[str, int] = {}
    known: dict[str, str | None] = {}
    found: list[Process] = []
    for process in ordered:
        if process.cgroup is None:
            continue
        if process.cgroup not in known:
            known[process.cgroup] = _innermost(process.cgroup, limited)
        above = known[process.cgroup]
        if above is not None and taken.get(above, 0) < count:
            taken[above] = taken.get(above, 0) + 1
            found.append(process)
    return found


def _innermost(path: str, limited: set[str]) -> str | None:
    while path and path != "/":
        if path in limited:
            return path
        path = path.rpartition("/")[0]
    return None
