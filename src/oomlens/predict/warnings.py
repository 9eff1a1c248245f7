"""What a person wants to know about the next kill before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oomlens.kernel.badness import UNKILLABLE
from oomlens.model.prediction import Fate, Warn
from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot
from oomlens.predict.critical import OTHER_KILLERS, role_of, service_of
from oomlens.predict.ranking import Ranking, own_bytes


@dataclass(frozen=True, slots=True)
class Situation:
    """One scope when it is full. usage: its cgroup, None for the machine. is_child: the victim is killed in its parent's place.

    group, members: what memory.oom.group kills with the victim.
    """

    snapshot: Snapshot
    usage: CgroupUsage | None
    ranking: Ranking
    fate: Fate
    victim: Process | None
    group: str | None
    members: tuple[Process, ...]
    is_child: bool


def warnings_of(situation: Situation) -> Iterator[Warn]:
    """All that apply, the gravest first."""
    if situation.fate is Fate.NOBODY and not situation.ranking.spared:
        yield Warn("empty", {"scope": _scope(situation)})
    elif situation.fate is not Fate.KILL:
        yield Warn(f"fate-{situation.fate.value}", {"scope": _scope(situation)})
    if situation.usage is None and situation.snapshot.host.setting("overcommit_memory") == 2:
        yield Warn("strict-overcommit", {})
    yield from _before(situation)
    victim = situation.victim
    if victim is None:
        return
    if situation.is_child:
        chosen = situation.ranking.suspects[0]
        yield Warn(
            "child",
            {"pid": victim.pid, "comm": victim.comm, "parent_pid": chosen.pid, "parent_comm": chosen.comm},
        )
    yield from _critical(victim, situation)
    if situation.group is not None:
        yield Warn("group", {"path": situation.group, "processes": len(situation.members)})
        yield from _with_it(victim, situation)
    yield from _innocent(victim, situation)
    if situation.ranking.certain is False:
        second = situation.ranking.suspects[1]
        yield Warn("close", {"pid": second.pid, "comm": second.comm, "bytes": situation.ranking.margin_bytes})


def _scope(situation: Situation) -> str:
    return situation.usage.path if situation.usage is not None else "machine"


def _names(path: str | None, snapshot: Snapshot) -> CgroupNames | None:
    return next((usage.names for usage in snapshot.cgroups if usage.path == path), None)


def _critical(victim: Process, situation: Situation) -> Iterator[Warn]:
    role = role_of(victim)
    if role is not None:
        yield Warn("critical", {"pid": victim.pid, "comm": victim.comm, "role": role})
    service = service_of(_names(victim.cgroup, situation.snapshot))
    if service is not None:
        yield Warn("service", {"pid": victim.pid, "comm": victim.comm, "unit": service})


def _before(situation: Situation) -> Iterator[Warn]:
    """What comes before the kernel's killer: other killers of the machine, and memory.high of a cgroup."""
    usage = situation.usage
    if usage is None:
        for process in situation.snapshot.processes:
            if process.comm in OTHER_KILLERS and not process.kernel_thread:
                yield Warn("other-killer", {"pid": process.pid, "comm": process.comm})
    elif usage.high_bytes is not None and usage.max_bytes is not None and usage.high_bytes < usage.max_bytes:
        yield Warn("slowed-first", {"path": usage.path, "high_bytes": usage.high_bytes})


def _with_it(victim: Process, situation: Situation) -> Iterator[Warn]:
    """Critical ones that the group takes with it, a line for each role."""
    told = {role_of(victim)}
    for process in situation.members:
        role = role_of(process)
        if role is not None and role not in told:
            told.add(role)
            yield Warn("critical-with-it", {"pid": process.pid, "comm": process.comm, "role": role})


def _innocent(victim: Process, situation: Situation) -> Iterator[Warn]:
    """A larger process is protected by its oom_score_adj, so a smaller one has to go."""
    own = own_bytes(victim)
    pids = {suspect.pid for suspect in situation.ranking.suspects}
    pids |= {spared.pid for spared in situation.ranking.spared if spared.why != "init"}
    protected = [
        (size, process)
        for process in situation.snapshot.processes
        if process.pid in pids and (process.oom_score_adj or 0) < 0 and (size := own_bytes(process)) is not None
    ]
    if not protected or own is None:
        return
    size, largest = max(protected, key=lambda each: each[0])
    if size > own and (largest.oom_score_adj or 0) < (victim.oom_score_adj or 0):
        yield Warn(
            "innocent",
            {
                "pid": victim.pid,
                "comm": victim.comm,
                "bytes": own,
                "protected_pid": largest.pid,
                "protected_comm": largest.comm,
                "protected_bytes": size,
                "oom_score_adj": largest.oom_score_adj,
                "never": int(largest.oom_score_adj == UNKILLABLE),
            },
        )
