"""container-update: an engine changes the limits of a container while it is there.

State: `{memory_bytes, memsw_bytes, pids}` as the engine says, -1 where there is no limit; `kernel_…` of the same where it runs and its
cgroup can be seen; or `{gone}`, with `recreated_as` (an id) where another container has its name now.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from oomlens.kernel.sizes import suffixed
from oomlens.model.container import LARGEST_BYTES, UNLIMITED, ContainerFact, EngineFact, EngineKind, Limits
from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "container-update"
KEYS = ("memory_bytes", "memsw_bytes", "pids")
HALF_BYTES = 1 << 62
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
        "cgroup_version": engine.cgroup_version,
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


def updates(about: Mapping[str, Json], wanted: Json, now: Json) -> list[dict[str, int]]:
    """The calls that lead to limits, in order, in numbers that the engine takes; each `{memory, memsw, pids}`, what it leaves out stays.

    about: the step's parameters. Memory and memory-with-swap go together: an engine refuses one that contradicts the other.
    """
    memory, memsw = wanted.get("memory_bytes"), wanted.get("memsw_bytes")
    memory = now.get("memory_bytes") if memory is None and memsw is not None else memory
    call = {key: int(value) for key, value in (("memory", memory), ("memsw", memsw)) if value is not None}
    calls = [call] if call else []
    if call and about["engine"] == EngineKind.DOCKER:
        calls = _for_docker(call, about.get("cgroup_version"), now)
    return calls + ([{"pids": int(wanted["pids"])}] if wanted.get("pids") is not None else [])


def _for_docker(call: dict[str, int], cgroup_version: Json, now: Json) -> list[dict[str, int]]:
    """Docker has no word for "no memory limit", and hands no -1 on to the kernel: it takes `--memory-swap -1`, shows it, and changes
    nothing until the container is restarted (daemon/update_linux.go; measured with 20.10). So the kernel is given the largest
    number first, and the engine its -1 then. On version 2 swap is the difference of both, so memory gets half of it at first.
    """
    free, memsw = call.get("memory") == UNLIMITED, call.get("memsw")
    largest = HALF_BYTES if cgroup_version != 1 and memsw == UNLIMITED else LARGEST_BYTES
    first = {"memory": largest if free else call["memory"]} if "memory" in call else {}
    if memsw == UNLIMITED:
        last = {"memsw": UNLIMITED}
        if free and cgroup_version != 1:
            last = {"memory": LARGEST_BYTES, "memsw": UNLIMITED}
        return [{**first, "memsw": LARGEST_BYTES}, last]
    if memsw is None and now.get("memsw_bytes") == UNLIMITED:
        memsw = UNLIMITED  # where swap cannot be limited, a memory limit alone is refused as larger than "-1"
    return [first if memsw is None else {**first, "memsw": memsw}]


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The engine's own command line."""
    return _lines(step, step.parameters["wanted"], step.before or {})


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The limits that were there."""
    if not step.before:
        return ()
    wanted = {key: step.before.get(key) for key, value in step.parameters["wanted"].items() if value is not None}
    return _lines(step, wanted, step.parameters["wanted"])


def _lines(step: Step, wanted: Json, now: Json) -> tuple[str, ...]:
    calls = updates(step.parameters, wanted, now)
    if step.parameters["engine"] == EngineKind.PODMAN and not step.parameters["stored"]:
        # `podman update` of 4.3 has no --pids-limit, though its API takes it.
        named = [f"# pids.max of its cgroup: {call['pids']}" for call in calls if "pids" in call]
        return (*(_command(step.parameters, call) for call in calls if "pids" not in call), *named)
    return tuple(_command(step.parameters, call) for call in calls)


def _command(about: Mapping[str, Json], call: dict[str, int]) -> str:
    """One call as shell."""
    words = ["update"]
    for key, flag in (("memory", "--memory"), ("memsw", "--memory-swap")):
        if key in call:
            words += [flag, suffixed(call[key]) if call[key] > 0 else str(call[key])]
    words += ["--pids-limit", str(call["pids"])] if "pids" in call else []
    kind, host = EngineKind(about["engine"]), str(about["host"])
    return engine_command(kind, host, *words, str(about["name"]), rootless=bool(about.get("rootless")))


def engine_command(kind: EngineKind, host: str, *words: str, rootless: bool) -> str:
    """A line of the engine's own program; where its socket is not the usual one, with that."""
    option = "--url" if kind is EngineKind.PODMAN else "--host"
    line = shlex.join([kind.value, *([] if host == _USUAL[kind] else [option, host]), *words])
    return line if rootless else f"sudo {line}"


ACTION = Action(NAME, reached, fits, commands, undo_commands)
