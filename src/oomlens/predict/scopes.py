"""Every scope of a snapshot: the machine, and each cgroup with a limit of its own.

Source: mm/oom_kill.c (out_of_memory, oom_kill_process), mm/memcontrol.c (mem_cgroup_get_max, mem_cgroup_get_oom_group).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oomlens.model.prediction import Fate, ScopePrediction
from oomlens.model.report import Gap, Scope
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot
from oomlens.predict.distance import Distance, of_cgroup, of_machine
from oomlens.predict.nodes import bound_by_policy, may_use, of_nodes, present_bytes
from oomlens.predict.ranking import Kernel, Ranking, kernel_of, rank
from oomlens.predict.swap_room import SwapRoom, swappiness_of
from oomlens.predict.tree import ancestors, charged
from oomlens.predict.warnings import Situation, warnings_of

__all__ = ["ancestors", "predict", "total_of_cgroup"]


def predict(
    snapshot: Snapshot, nodes: frozenset[int] | None = None, policy_nodes: frozenset[int] | None = None
) -> tuple[ScopePrediction, ...]:
    """Whom the kernel would kill next: the machine first, then cgroups with a limit, the one nearest to it first.

    nodes, policy_nodes: with these, behind the machine, a task that may only have memory of these nodes, by its cpuset
    (cpuset.mems) or by its memory policy (mbind(2), numactl --membind).
    """
    usages = {usage.path: usage for usage in snapshot.cgroups}
    seen = _Seen(snapshot, kernel_of(snapshot.host), usages, SwapRoom(snapshot, usages))
    created = sorted(snapshot.processes, key=lambda process: (process.started_uptime_seconds, process.pid))
    members: dict[str, list[Process]] = {usage.path: [] for usage in snapshot.cgroups if usage.max_bytes is not None}
    for process in created:
        for path in charged(process.cgroup, usages):
            if path in members:
                members[path].append(process)
    scopes = [_cgroup(usages[path], seen, processes) for path, processes in members.items()]
    scopes.sort(key=lambda each: (each.distance_bytes is None, each.distance_bytes or 0))
    bound = [
        _nodes(seen, created, wanted, scope)
        for wanted, scope in ((nodes, Scope.CPUSET), (policy_nodes, Scope.MEMPOLICY))
        if wanted is not None
    ]
    return (_machine(seen, created), *bound, *scopes)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A snapshot with what is derived from it once."""

    snapshot: Snapshot
    kernel: Kernel
    usages: Mapping[str, CgroupUsage]
    swap: SwapRoom


def _machine(seen: _Seen, processes: Sequence[Process]) -> ScopePrediction:
    host = seen.snapshot.host
    ram, swap = host.meminfo.get("mem_total_bytes"), host.meminfo.get("swap_total_bytes")
    available = host.meminfo.get("mem_available_bytes")
    total = None if ram is None or swap is None else ram + swap
    ranking = rank(processes, total, seen.kernel)
    gaps = () if host.initial_pid_namespace is not False else (Gap("candidates", "other-namespaces-not-seen"),)
    fate = _fate(host, None, ranking)
    return _prediction(
        seen, None, ranking, fate, of_machine(host, seen.swap.of_machine()),
        limit=ram, used=None if ram is None or available is None else ram - available, total=total, gaps=gaps,
    )  # fmt: skip


def _nodes(seen: _Seen, processes: Sequence[Process], nodes: frozenset[int], scope: Scope) -> ScopePrediction:
    """CONSTRAINT_CPUSET and CONSTRAINT_MEMORY_POLICY: present pages of the nodes, and tasks that may use one of them."""
    host = seen.snapshot.host
    ram, swap = present_bytes(host, nodes), host.meminfo.get("swap_total_bytes")
    total = None if ram is None or swap is None else ram + swap
    eligible = may_use if scope is Scope.CPUSET else bound_by_policy(host.kernel_release)
    ranking = rank([process for process in processes if eligible(process, nodes)], total, seen.kernel)
    unread = scope is Scope.MEMPOLICY and any(
        process.mempolicies is None for process in processes if not process.kernel_thread
    )
    gaps = (Gap("mempolicies", "not-read-for-all"),) if unread else ()
    distance = of_nodes(host, nodes, seen.swap.of_machine())
    free = next((part.bytes for part in distance.parts if part.name == "free"), None)
    return replace(
        _prediction(
            seen, None, ranking, _fate(host, None, ranking, bound=True), distance,
            limit=ram, used=None if ram is None or free is None else ram - free, total=total, gaps=gaps,
        ),
        scope=scope,
        nodes=tuple(sorted(nodes)),
    )  # fmt: skip


def _cgroup(usage: CgroupUsage, seen: _Seen, processes: Sequence[Process]) -> ScopePrediction:
    total = total_of_cgroup(usage, seen.snapshot.host)
    ranking = rank(processes, total, seen.kernel)
    fate = _fate(seen.snapshot.host, usage, ranking)
    return _prediction(
        seen, usage, ranking, fate, of_cgroup(usage, seen.swap.of(usage)),
        limit=usage.max_bytes, used=usage.current_bytes, total=total, gaps=(),
    )  # fmt: skip


def total_of_cgroup(usage: CgroupUsage, host: HostMemory) -> int | None:
    """The limit and the swap that goes with it, as `mem_cgroup_get_max` adds them."""
    if usage.max_bytes is None:
        return None
    swap = host.meminfo.get("swap_total_bytes")
    if swap == 0 or swappiness_of(usage, host) == 0:
        return usage.max_bytes
    allowed = usage.swap_max_bytes
    if usage.version == 1 and usage.memsw_max_bytes is not None:
        allowed = max(0, usage.memsw_max_bytes - usage.max_bytes)
    return None if swap is None else usage.max_bytes + (swap if allowed is None else min(swap, allowed))


def _fate(host: HostMemory, usage: CgroupUsage | None, ranking: Ranking, *, bound: bool = False) -> Fate:
    if usage is not None and usage.oom_kill_disabled:
        return Fate.WAIT  # the killer is not even asked
    panic = host.setting("panic_on_oom")
    if panic == 2 or (panic == 1 and usage is None and not bound):
        return Fate.PANIC
    if usage is None and host.setting("oom_kill_allocating_task"):
        return Fate.INVOKER
    return Fate.KILL if ranking.suspects else Fate.NOBODY


def _child(chosen: Process, ranking: Ranking, by_pid: Mapping[int, Process]) -> Process | None:
    """The chosen one's child with the most points, the first created of equals; one without points is left alone."""
    children = [
        (suspect.points_bytes, -by_pid[suspect.pid].started_uptime_seconds, suspect.pid)
        for suspect in ranking.suspects
        if by_pid[suspect.pid].ppid == chosen.pid and suspect.points_bytes is not None and suspect.points_bytes > 0
    ]
    return by_pid[max(children)[2]] if children else None


def _group(victim: Process | None, top: str | None, usages: Mapping[str, CgroupUsage]) -> str | None:
    """The highest cgroup with memory.oom.group between the victim and the scope's; the root has none."""
    found: str | None = None
    for path in ancestors(victim.cgroup if victim is not None else None):
        usage = usages.get(path)
        if usage is not None and usage.version == 2 and usage.oom_group and path != "/":
            found = path
        if path == top:
            break
    return found


def _prediction(
    seen: _Seen,
    usage: CgroupUsage | None,
    ranking: Ranking,
    fate: Fate,
    distance: Distance,
    *,
    limit: int | None,
    used: int | None,
    total: int | None,
    gaps: tuple[Gap, ...],
) -> ScopePrediction:
    snapshot, path = seen.snapshot, usage.path if usage is not None else None
    by_pid = {process.pid: process for process in snapshot.processes}
    victim = by_pid[ranking.suspects[0].pid] if ranking.suspects and fate is Fate.KILL else None
    child = _child(victim, ranking, by_pid) if victim is not None and seen.kernel.child_instead else None
    victim = victim if child is None else child
    group = _group(victim, path, seen.usages)
    never = {spared.pid for spared in ranking.spared}
    members = [
        each
        for each in snapshot.processes
        if group is not None and each.pid not in never and group in ancestors(each.cgroup)
    ]
    situation = Situation(snapshot, usage, ranking, fate, victim, group, tuple(members), child is not None)
    unknown = sum(suspect.points_bytes is None for suspect in ranking.suspects)
    if unknown:
        gaps = (*gaps, Gap(f"candidates: {unknown} of {len(ranking.suspects)}", "sizes-unreadable"))
    if snapshot.host.kernel_release is None:
        gaps = (*gaps, Gap("kernel_release", "taken-as-5.9-or-later"))
    return ScopePrediction(
        scope=Scope.GLOBAL if usage is None else Scope.MEMCG,
        path=path,
        names=usage.names if usage is not None else None,
        limit_bytes=limit,
        usage_bytes=used,
        total_bytes=total,
        distance_bytes=distance.bytes,
        distance_parts=distance.parts,
        fate=fate,
        candidates=ranking.suspects,
        spared=ranking.spared,
        margin_bytes=ranking.margin_bytes,
        certain=ranking.certain,
        child_pid=child.pid if child is not None else None,
        group=group,
        group_processes=len(members) if group is not None else None,
        warnings=tuple(warnings_of(situation)),
        gaps=(*gaps, *distance.gaps),
    )
