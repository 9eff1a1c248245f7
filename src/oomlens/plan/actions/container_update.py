"""container-update: an engine changes the limits of a container while it is there.

State: `{memory_bytes, memsw_bytes, pids}` as the engine says, -1 where there is no limit; `kernel_…` of the same where it runs and its
cgroup can be seen; or `{gone}`, with `recreated_as` (an id) where another container has its name now.
"""

from __future__ import annotations

import shlex
from typing import Any

from oomlens.kernel.sizes import suffixed
from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action
from oomlens.plan.containers.facts import LARGEST_BYTES, UNLIMITED, ContainerFact, EngineFact, EngineKind, Limits

NAME = "container-update"
KEYS = ("memory_bytes", "memsw_bytes", "pids")
_PAGE_BYTES = 65536  # the largest page size: the kernel rounds limits down to whole pages
_USUAL = {EngineKind.DOCKER: "unix:///var/run/docker.sock", EngineKind.PODMAN: "unix:///run/podman/podman.sock"}


def container_update(engine: EngineFact, container: ContainerFact, wanted: Limits, title: Text) -> Step:
    """The step that sets the limits that are not None."""
    parameters: dict[str, Json] = {
        "engine": engine.kind.value,
        "host": engine.host,
        "id": container.id,
        "name": container.name,
        "stored": engine.stores_updates,
        "rootless": engine.rootless,
        "wanted": values_of(wanted),
    }
    # Podman before 5.1 changes the cgroup only; its inspect goes on telling what the container was made with.
    seen = container.limits if engine.stores_updates or container.kernel_limits is None else container.kernel_limits
    lasts = Lasts.RECREATION if engine.stores_updates else Lasts.RESTART
    return Step(NAME, container.name, title, parameters, values_of(seen), Safety.SAFE, Effect.NOW, lasts)


def values_of(limits: Limits) -> dict[str, Json]:
    """Limits as JSON values."""
    return {"memory_bytes": limits.memory_bytes, "memsw_bytes": limits.memsw_bytes, "pids": limits.pids}


def set_in(state: Json, *, stored: bool) -> dict[str, Json]:
    """What is set, of a state: as the engine says, or as the kernel says where the engine does not know."""
    return {
        key: state[f"kernel_{key}"] if not stored and state.get(f"kernel_{key}") is not None else state.get(key)
        for key in KEYS
    }


def same(wanted: Json, found: Json) -> bool:
    """Whether two limits are the same; the kernel rounds sizes down to pages."""
    if wanted is None or found is None or wanted == found:
        return True
    if min(int(wanted), int(found)) < _PAGE_BYTES:
        return False
    return bool(0 <= int(wanted) - int(found) < _PAGE_BYTES)


def reached(step: Step, state: Json) -> bool:
    """Whether all that is wanted is set, in the engine's words and in the kernel's files."""
    if state.get("gone"):
        return False
    wanted = {key: value for key, value in step.parameters["wanted"].items() if value is not None}
    said = not step.parameters["stored"] or all(same(value, state.get(key)) for key, value in wanted.items())
    return said and all(same(value, state.get(f"kernel_{key}")) for key, value in wanted.items())


def fits(step: Step, state: Json) -> bool:
    """Whether it is the container that was seen, with the limits that were seen."""
    if state.get("gone"):
        return False
    now = set_in(state, stored=bool(step.parameters["stored"]))
    before = step.before or {}
    return all(same(before.get(key), now[key]) for key, value in step.parameters["wanted"].items() if value is not None)


def updates(now: Json, wanted: Json) -> list[dict[str, int]]:
    """The calls that lead from one set of limits to another, in order; each `{memory, memsw, pids}`, what it leaves out stays.

    Memory and memory-with-swap go together: an engine refuses one that contradicts the other. A raise that lifts the swap limit at the
    same time fails on cgroup v1 (the kernel sees memory above memsw), so that limit is lifted first.
    """
    calls: list[dict[str, int]] = []
    memory, memsw = wanted.get("memory_bytes"), wanted.get("memsw_bytes")
    if memory is not None or memsw is not None:
        memory = now.get("memory_bytes") if memory is None else memory
        if memsw == UNLIMITED and now.get("memsw_bytes") not in (UNLIMITED, None):
            first = {"memory": now.get("memory_bytes"), "memsw": UNLIMITED}
            calls.append({key: int(value) for key, value in first.items() if value is not None})
        last = {"memory": memory, "memsw": memsw}
        calls.append({key: int(value) for key, value in last.items() if value is not None})
    if wanted.get("pids") is not None:
        calls.append({"pids": int(wanted["pids"])})
    return calls


def spelled(call: dict[str, int], engine: str) -> dict[str, int]:
    """A call in numbers that the engine takes: Docker has no word for a container without a memory limit."""
    if call.get("memory") == UNLIMITED and engine == EngineKind.DOCKER:
        return {**call, "memory": LARGEST_BYTES}
    return call


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The engine's own command line."""
    return _lines(step, step.before or {}, step.parameters["wanted"])


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The limits that were there."""
    if not step.before:
        return ()
    wanted = {key: step.before.get(key) for key, value in step.parameters["wanted"].items() if value is not None}
    return _lines(step, step.parameters["wanted"], wanted)


def _lines(step: Step, now: Json, wanted: Json) -> tuple[str, ...]:
    engine = str(step.parameters["engine"])
    calls = updates(now, wanted)
    return tuple(command_of(engine, step.parameters, spelled(call, engine)) for call in calls)


def command_of(engine: str, parameters: Any, call: dict[str, int]) -> str:
    """One call as shell."""
    host, words = str(parameters["host"]), [engine]
    if host != _USUAL[EngineKind(engine)]:
        words += ["--url" if engine == EngineKind.PODMAN else "--host", host]
    words.append("update")
    if "memory" in call:
        words += ["--memory", suffixed(call["memory"]) if call["memory"] > 0 else str(call["memory"])]
    if "memsw" in call:
        words += ["--memory-swap", suffixed(call["memsw"]) if call["memsw"] > 0 else str(call["memsw"])]
    if "pids" in call:
        words += ["--pids-limit", str(call["pids"])]
    line = shlex.join([*words, str(parameters["name"])])
    return line if parameters.get("rootless") else f"sudo {line}"


ACTION = Action(NAME, reached, fits, commands, undo_commands)
