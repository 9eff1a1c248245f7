"""The live machine -> a snapshot. Every root is a parameter."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

from oomlens.host.read.cgroupfs import cgroup_of, find_hierarchy, read_cgroups
from oomlens.host.read.processes import read_processes, read_pss, with_command_line, with_mempolicies, with_pss
from oomlens.host.read.procfs import read_host
from oomlens.host.read.pseudofiles import text
from oomlens.model.report import Gap
from oomlens.model.snapshot import Process, Snapshot

_HIDDEN = re.compile(r"^\S+ \S+ \S+ / /proc .* - proc .*\bhidepid=(2|4|invisible|ptraceable)\b", re.MULTILINE)


def read_snapshot(
    *,
    proc: Path = Path("/proc"),
    sys: Path = Path("/sys"),
    cgroup: Path = Path("/sys/fs/cgroup"),
    page_size: int | None = None,
    ticks_per_second: int | None = None,
    now_seconds: float | None = None,
    command_lines: int | None = 0,
    pss: frozenset[int] | None = frozenset(),
    slabs: bool = False,
    policies: bool = False,
) -> Snapshot:
    """Reads everything once; never raises where something is missing, unreadable or gone: gaps say so.

    page_size, ticks_per_second: of the machine that /proc belongs to; default: of this one.
    now_seconds: of the epoch; default: the clock.
    command_lines: read the arguments of that many of the largest processes, None for all.
    pss: pids whose proportional set size is read too, None for all; slow for large processes.
    slabs: read the largest kernel caches too.
    policies: read the memory policies of processes too (NUMA).
    """
    at = time.time() if now_seconds is None else now_seconds
    host, host_gaps = read_host(proc, sys, page_size=page_size or os.sysconf("SC_PAGE_SIZE"), slabs=slabs)
    hierarchy = find_hierarchy(cgroup, proc)
    processes, process_gaps = read_processes(
        proc, cgroup_of(hierarchy), ticks_per_second=ticks_per_second or os.sysconf("SC_CLK_TCK")
    )
    cgroups, cgroup_gaps = read_cgroups(hierarchy)
    if command_lines != 0:
        processes = _with_command_lines(processes, proc, command_lines)
    if pss is None or pss:
        processes, pss_gaps = read_pss(processes, pss, proc)
        process_gaps = (*process_gaps, *pss_gaps)
    if policies:
        processes = tuple(each if each.kernel_thread else with_mempolicies(each, proc) for each in processes)
    return Snapshot(
        host=host,
        cgroups=cgroups,
        processes=processes,
        time_seconds=at,
        gaps=(*host_gaps, *cgroup_gaps, *process_gaps, *_hidden(proc)),
    )


def _with_command_lines(processes: tuple[Process, ...], proc: Path, count: int | None) -> tuple[Process, ...]:
    own = [each for each in processes if not each.kernel_thread]
    largest = sorted(own, key=lambda each: each.rss_bytes or 0, reverse=True)[:count]
    pids = {each.pid for each in largest}
    return tuple(with_command_line(each, proc) if each.pid in pids else each for each in processes)


def _hidden(proc: Path) -> tuple[Gap, ...]:
    """Processes of others do not even appear with hidepid=2 (proc(5)); root sees them."""
    try:
        mounts = text((proc / "self/mountinfo").read_bytes())
    except OSError:
        return ()
    return (Gap("processes", "hidden-by-hidepid"),) if _HIDDEN.search(mounts) and os.geteuid() != 0 else ()


def with_sizes_shared_out(snapshot: Snapshot, pids: frozenset[int], proc: Path = Path("/proc")) -> Snapshot:
    """The snapshot with the proportional set sizes of some processes, read now, or gaps that say why not."""
    processes, gaps = read_pss(snapshot.processes, pids, proc)
    return replace(snapshot, processes=processes, gaps=(*snapshot.gaps, *gaps))


def with_details(snapshot: Snapshot, pids: frozenset[int], proc: Path = Path("/proc")) -> Snapshot:
    """The snapshot with arguments and proportional set size of some processes, read now."""
    detailed = (
        with_pss(with_command_line(each, proc), proc) if each.pid in pids else each for each in snapshot.processes
    )
    return replace(snapshot, processes=tuple(detailed))
