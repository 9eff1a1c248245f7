"""Processes that a person means, and what would be killed without and with another oom_score_adj."""

from __future__ import annotations

import os

from oomlens.host.read.limit_container_facts import Asked, read_facts
from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import Target, find_target, largest_first
from oomlens.host.read.unit_facts import read_unit
from oomlens.model.prediction import ScopePrediction
from oomlens.model.snapshot import Process, Snapshot
from oomlens.plan.containers.compose import SERVICE
from oomlens.plan.score.facts import Member, Next, ScoreFacts
from oomlens.plan.units.facts import full_name
from oomlens.predict import Change, apply_changes, predict
from oomlens.predict.critical import role_of
from oomlens.predict.ranking import own_bytes
from oomlens.predict.what_if import Amount


def read_score_facts(reader: Reader, wanted: str, adj: int) -> ScoreFacts:
    """wanted: a pid, a process name, a unit or a container. adj: the score that it would have."""
    snapshot = reader.snapshot
    target = find_target(snapshot, wanted) or _by_name(snapshot, wanted)
    processes = target.processes if target is not None else ()
    names = target.names if target is not None else None
    container = None if names is None else names.container_name or names.container_id
    pod = names.pod_uid if names is not None and names.manager == "kubernetes" else None
    unit_name = names.unit if names is not None and container is None and pod is None else None
    if target is None:
        unit_name = full_name(wanted)
    own_unit = unit_name if target is None or target.kind != "process" or _alone(snapshot, target, unit_name) else None
    unit = read_unit(reader, own_unit) if own_unit is not None else None
    members = tuple(_member(reader, each) for each in processes)
    made = read_facts(Asked(container), reader) if container is not None and pod is None else None
    labels = made.container.labels if made is not None and made.container is not None else {}
    return ScoreFacts(
        members=tuple(each for each in members if each is not None),
        unit=unit if unit is not None and (unit.known or unit.user) else None,
        container=container,
        compose=made.recreators.compose if made is not None else (),
        service=labels.get(SERVICE),
        pod_uid=pod,
        qos=names.qos_class if names is not None else None,
        before=_next(snapshot, processes),
        after=_next(_changed(snapshot, processes, adj), processes),
        cgroup=processes[0].cgroup if processes else None,
    )


def _by_name(snapshot: Snapshot, wanted: str) -> Target | None:
    found = largest_first(each for each in snapshot.processes if each.comm == wanted and not each.kernel_thread)
    if not found:
        return None
    names = {usage.path: usage.names for usage in snapshot.cgroups}
    return Target("process", wanted, found, names.get(found[0].cgroup or ""))


def _alone(snapshot: Snapshot, target: Target, unit: str | None) -> bool:
    """Whether a unit is the target's own: a pid of a session or of a pool of others is not its unit."""
    if unit is None or not unit.endswith(".service"):
        return False
    return all(
        each.comm == target.processes[0].comm
        for each in snapshot.processes
        if each.cgroup == target.processes[0].cgroup
    )


def _member(reader: Reader, process: Process) -> Member | None:
    ticks = reader.tree.text(f"/proc/{process.pid}/stat")
    cells = (ticks or "").rpartition(")")[2].split()  # the name may hold blanks and brackets
    if len(cells) < 20:
        return None  # gone by now
    return Member(
        process.pid,
        process.comm,
        process.oom_score_adj,
        int(cells[19]),
        process.ppid,
        own_bytes(process),
        role_of(process),
        process.pid == 1 and reader.snapshot.host.initial_pid_namespace is True,
    )


def _changed(snapshot: Snapshot, processes: tuple[Process, ...], adj: int) -> Snapshot:
    return apply_changes(snapshot, [Change("adj", str(each.pid), Amount(adj)) for each in processes])


def _next(snapshot: Snapshot, processes: tuple[Process, ...]) -> Next | None:
    """In the scope that the target is in and that is nearest to a kill."""
    if not processes:
        return None
    inside = {each.pid for each in processes}
    scopes = [each for each in predict(snapshot) if each.path is None or _holds(each, processes[0])]
    known = [each for each in scopes if each.distance_bytes is not None]
    if not known:
        return None
    scope = min(known, key=lambda each: each.distance_bytes or 0)
    own = os.getpid()
    first = next((each for each in scope.candidates if each.pid != own), None)
    if first is None:
        return Next(None)
    process = next(each for each in snapshot.processes if each.pid == first.pid)
    return Next(first.pid, first.comm, own_bytes(process), role_of(process), first.pid in inside)


def _holds(scope: ScopePrediction, process: Process) -> bool:
    path, group = scope.path, process.cgroup
    return path is not None and group is not None and (group == path or group.startswith(path.rstrip("/") + "/"))
