"""Facts for `plan limit container`: the container, its engine, what else the host holds, and the files that create it anew."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from oomlens.host.read.container_engine import Engine, EngineError, hosts, socket_problem
from oomlens.host.read.container_limits import cgroup_path, kernel_limits, said_limits
from oomlens.host.read.container_usage import usage_of
from oomlens.host.read.reader import Reader
from oomlens.host.read.recreators import Named, recreators_of
from oomlens.model.container import ContainerFact, EngineKind, limit_of
from oomlens.model.snapshot import CgroupUsage
from oomlens.plan.containers.facts import Facts, Others

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
_SERVICE = "com.docker.compose.service"


class Asked(NamedTuple):
    """name: of a container, the beginning of an id, or a Compose service. kind, host: which engine; None: those that there are.
    files: that a person named."""

    name: str
    kind: EngineKind | None = None
    host: str | None = None
    files: Named = Named()


def read_facts(asked: Asked, reader: Reader) -> Facts:
    """Everything; never raises. Another tree's engine is asked only where its socket was named."""
    facts = _engine_facts(asked, reader) if reader.live or asked.host else Facts(problem="other-tree")
    container = facts.container
    labels = container.labels if container is not None else {}
    name = container.name if container is not None else asked.name
    kind = facts.engine.kind if facts.engine is not None and container is not None else None
    return replace(facts, recreators=recreators_of(asked.files, labels, name, kind, reader))


def _engine_facts(asked: Asked, reader: Reader) -> Facts:
    """Of the first engine that has the container; else why there is none."""
    found: list[Facts] = []
    for kind, host in _candidates(asked):
        try:
            with Engine(host) as engine:
                facts = _facts_of(engine, asked, reader)
        except EngineError as error:
            found.append(Facts(problem=error.code, where=host if not error.why else f"{host} ({error.why})"))
            continue
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # it answers, but not as an engine
            found.append(Facts(problem="not-understood", where=f"{host} ({error})"))
            continue
        if asked.kind is not None and facts.engine is not None and facts.engine.kind is not asked.kind:
            continue
        if facts.container is not None:
            return facts
        found.insert(0, facts)
        if kind is None:
            break  # a person, or the environment, named this one
    return (
        found[0]
        if found
        else Facts(problem="no-socket", where=", ".join(host for _, host in hosts(os.environ, os.geteuid())))
    )


def _candidates(asked: Asked) -> Sequence[tuple[EngineKind | None, str]]:
    """Sockets to ask: those that are there, and what a person or the environment named."""
    if asked.host is not None:
        return ((None, asked.host),)
    known = [one for one in hosts(os.environ, os.geteuid()) if asked.kind is None or one[0] in (None, asked.kind)]
    return [one for one in known if one[0] is None or socket_problem(one[1]) != "no-socket"]


def _facts_of(engine: Engine, asked: Asked, reader: Reader) -> Facts:
    fact = engine.fact()
    listed = engine.containers()
    names = tuple(sorted(name for one in listed for name in _names(one)))
    inspected = engine.inspect(asked.name) if _NAME.fullmatch(asked.name) else None
    if inspected is None:
        of_service = [one for one in listed if (one.get("Labels") or {}).get(_SERVICE) == asked.name]
        if len(of_service) == 1:
            inspected = engine.inspect(str(of_service[0].get("Id")))
        elif of_service:
            names = tuple(sorted(name for one in of_service for name in _names(one)))
    if inspected is None:
        return Facts(fact, known=names)
    container = _container(engine, inspected, reader)
    siblings = _siblings(listed, container)
    return Facts(fact, container, known=siblings, others=_others(engine, listed, container, reader))


def _names(listed: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(name).lstrip("/") for name in listed.get("Names") or ())


def _siblings(listed: Sequence[Mapping[str, Any]], container: ContainerFact) -> tuple[str, ...]:
    """Other containers of the same Compose service."""
    keys = ("com.docker.compose.project", _SERVICE)
    mine = tuple(container.labels.get(key) for key in keys)
    if None in mine:
        return ()
    same = [one for one in listed if tuple((one.get("Labels") or {}).get(key) for key in keys) == mine]
    return tuple(sorted(name for one in same if str(one.get("Id")) != container.id for name in _names(one)))


def _container(engine: Engine, inspected: Mapping[str, Any], reader: Reader) -> ContainerFact:
    host, state = inspected.get("HostConfig") or {}, inspected.get("State") or {}
    config, policy = inspected.get("Config") or {}, (inspected.get("HostConfig") or {}).get("RestartPolicy") or {}
    running = bool(state.get("Running"))
    usage = usage_of(engine.stats(str(inspected["Id"]))) if running else usage_of({})
    fact = ContainerFact(
        id=str(inspected["Id"]),
        name=str(inspected.get("Name") or "").lstrip("/"),
        image=str(config.get("Image") or ""),
        running=running,
        limits=said_limits(inspected),
        kernel_limits=kernel_limits(inspected, reader.tree) if running else None,
        reservation_bytes=host.get("MemoryReservation") or None,
        oom_kill_disabled=bool(host.get("OomKillDisable")),
        oom_killed=state.get("OOMKilled"),
        exit_code=state.get("ExitCode"),
        restart_count=inspected.get("RestartCount"),
        restart_policy=str(policy.get("Name") or ""),
        swappiness=host.get("MemorySwappiness"),
        labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
        usage_bytes=usage.held_bytes,
        swap_bytes=usage.swap_bytes,
        peak_bytes=usage.peak_bytes,
        oom_events=engine.oom_events(str(inspected["Id"])),
    )
    return _with_cgroup(fact, cgroup_path(inspected, reader.tree), reader)


def _with_cgroup(fact: ContainerFact, path: str | None, reader: Reader) -> ContainerFact:
    """What its cgroup and those above it tell."""
    if path is None:
        return fact
    known, own = {usage.path: usage for usage in reader.snapshot.cgroups}, None
    while path and path != "/":
        usage = known.get(path)
        if usage is not None and usage.names.container_id is not None and fact.id.startswith(usage.names.container_id):
            own = usage
        path = path.rpartition("/")[0]
    if own is None:
        return fact
    above = _above(own, known)
    outer = above.names.container_id if above is not None else None
    return replace(
        fact,
        cgroup=own.path,
        kills=own.events.get("oom_kill"),
        peak_bytes=own.peak_bytes or fact.peak_bytes,
        swap_bytes=own.swap_current_bytes if own.swap_current_bytes is not None else fact.swap_bytes,
        outer_limit_bytes=above.effective_max_bytes if above is not None else None,
        outer_path=above.effective_max_path if above is not None else None,
        outer_container=outer,
    )


def _above(own: CgroupUsage, known: Mapping[str, CgroupUsage]) -> CgroupUsage | None:
    return known.get(own.path.rpartition("/")[0] or "/")


def _others(engine: Engine, listed: Sequence[Mapping[str, Any]], container: ContainerFact, reader: Reader) -> Others:
    """What the rest of the host holds, and what other running containers were promised and limited to."""
    promised = limits = 0
    for one in listed:
        if str(one.get("Id")) == container.id or one.get("State") != "running":
            continue
        host = (engine.inspect(str(one.get("Id"))) or {}).get("HostConfig") or {}
        promised += host.get("MemoryReservation") or 0
        limits += max(0, limit_of(host.get("Memory")) or 0)
    memory = reader.snapshot.host.meminfo
    total, available = memory.get("mem_total_bytes"), memory.get("mem_available_bytes")
    held = None
    if total is not None and available is not None:
        held = max(0, total - available - (container.usage_bytes or 0))
    return Others(held, promised, limits)
