"""What a person means by a target: a pid, a unit, a container; and the processes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot

_LEAST_ID = 4  # letters of a container's id
_UNIT_KINDS = (".service", ".scope", ".slice", ".socket", ".mount")


@dataclass(frozen=True, slots=True)
class Target:
    """kind: "process", "unit" or "container". name: the pid, the unit's or the container's.

    processes: those in it, the largest first. names: what its cgroup's path says.
    """

    kind: str
    name: str
    processes: tuple[Process, ...] = ()
    names: CgroupNames | None = None


def find_target(snapshot: Snapshot, wanted: str) -> Target | None:
    """What is meant; None where nothing running goes by that name."""
    if wanted.isdecimal():
        found = tuple(each for each in snapshot.processes if str(each.pid) == wanted and not each.kernel_thread)
        return Target("process", wanted, found, _names(snapshot, found[0])) if found else None
    for kind, fits in (("container", _is_container), ("unit", _is_unit)):
        processes = _inside(snapshot, wanted, fits)
        if processes:
            return Target(kind, wanted, processes, _names(snapshot, processes[0]))
    return None


def _is_container(names: CgroupNames, wanted: str) -> bool:
    if wanted in (names.container_name, names.container_id):
        return True
    return len(wanted) >= _LEAST_ID and names.container_id is not None and names.container_id.startswith(wanted)


def _is_unit(names: CgroupNames, wanted: str) -> bool:
    if names.container_id is not None:
        return False
    name = wanted if wanted.endswith(_UNIT_KINDS) else f"{wanted}.service"
    return names.unit == name


def _inside(snapshot: Snapshot, wanted: str, fits: Callable[[CgroupNames, str], bool]) -> tuple[Process, ...]:
    paths = {usage.path for usage in snapshot.cgroups if fits(usage.names, wanted)}
    if not paths:
        return ()
    return largest_first(
        each
        for each in snapshot.processes
        if each.cgroup is not None and not each.kernel_thread and each.cgroup in paths
    )


def largest_first(processes: Iterable[Process]) -> tuple[Process, ...]:
    """By what they hold."""
    return tuple(sorted(processes, key=lambda each: (-(each.rss_bytes or 0), each.pid)))


def others_bytes(snapshot: Snapshot, process: Process, below: str | None) -> int:
    """Anonymous and shared memory of all other processes: those in a cgroup and below it, or with None of the whole machine."""
    return sum(
        (each.rss_anon_bytes or 0) + (each.rss_shmem_bytes or 0)
        for each in snapshot.processes
        if each.pid != process.pid and (below is None or _below(each.cgroup, below))
    )


def _below(path: str | None, above: str) -> bool:
    return path is not None and (path == above or path.startswith(above.rstrip("/") + "/"))


def usage_of(snapshot: Snapshot, process: Process) -> CgroupUsage | None:
    """The memory cgroup of a process."""
    return next((usage for usage in snapshot.cgroups if usage.path == process.cgroup), None)


def _names(snapshot: Snapshot, process: Process) -> CgroupNames | None:
    usage = usage_of(snapshot, process)
    return None if usage is None else usage.names
