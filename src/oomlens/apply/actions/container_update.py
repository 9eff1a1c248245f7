"""container-update, the other half."""

from __future__ import annotations

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.read.container_engine import Engine, EngineError
from oomlens.host.read.container_limits import state_of
from oomlens.host.read.container_usage import in_use
from oomlens.host.write.container_engine import update
from oomlens.i18n import message
from oomlens.model.container import UNLIMITED, EngineKind
from oomlens.model.plan import Json, Step, Text
from oomlens.plan.actions import container_update


def observe(step: Step, machine: Machine) -> Json:
    """Its limits; gone where it is not there, and by which container it was replaced."""
    about = step.parameters
    try:
        with Engine(str(about["host"])) as engine:
            return state_of(engine, str(about["id"]), str(about["name"]), machine.tree)
    except EngineError as error:
        raise StepError(str(error)) from error


def do(step: Step, before: Json, _machine: Machine) -> None:
    """Sets the wanted limits."""
    _set(step, before, step.parameters["wanted"])


def undo(step: Step, before: Json, machine: Machine) -> None:
    """Sets the limits that were there; of a container that is gone, nothing is left to set."""
    now = observe(step, machine)
    if now.get("gone"):
        return
    wanted = {
        key: value
        for key, value in container_update.set_in(before, stored=_stored(step)).items()
        if step.parameters["wanted"].get(key) is not None
    }
    _set(step, now, wanted)
    left = observe(step, machine)
    if not same(before, left):
        raise StepError(f"{step.target}: its engine took the limits of before, but they do not read back: {left}")


def _set(step: Step, now: Json, wanted: Json) -> None:
    kind, container_id = EngineKind(step.parameters["engine"]), str(step.parameters["id"])
    present = container_update.set_in(now, stored=_stored(step))
    try:
        with Engine(str(step.parameters["host"])) as engine:
            _refuse_to_kill(step, engine, present, wanted)
            for call in container_update.updates(step.parameters, wanted, present):
                update(engine, kind, container_id, call)
    except EngineError as error:
        raise StepError(f"{step.target}: {error}") from error


def _refuse_to_kill(step: Step, engine: Engine, present: Json, wanted: Json) -> None:
    """Below what it holds, cgroup v1 refuses a limit, but v2 takes it and kills."""
    limit = wanted.get("memory_bytes")
    if limit in (None, UNLIMITED) or present.get("memory_bytes") == limit:
        return
    usage = in_use(engine, str(step.parameters["id"]))
    if usage is not None and usage >= limit:
        raise StepError(
            f"{step.target}: it holds {usage} bytes, not less than the limit of {limit}: it would be killed; stop it first"
        )


def _stored(step: Step) -> bool:
    return bool(step.parameters["stored"])


def torn(step: Step, before: Json, now: Json) -> bool:
    """Of two calls, one may have been made: every limit is the old one, the new one, or lifted on the way."""
    if now.get("gone") or before.get("gone"):
        return bool(now.get("gone"))
    stored = _stored(step)
    old, seen = container_update.set_in(before, stored=stored), container_update.set_in(now, stored=stored)
    wanted = step.parameters["wanted"]
    return all(
        any(container_update.same(one, seen[key]) for one in (old[key], wanted.get(key), UNLIMITED))
        for key in container_update.KEYS
    )


def same(before: Json, now: Json) -> bool:
    """A container that is gone has nothing left to restore; one made anew in its place is another."""
    if now.get("gone"):
        return not now.get("recreated_as")
    if before.get("gone"):
        return False
    return all(
        container_update.same(before.get(key), now.get(key))
        for key in (*container_update.KEYS, *(f"kernel_{key}" for key in container_update.KEYS))
    )


def obstacle(step: Step, before: Json, _machine: Machine) -> Text | None:
    """What it holds by now may be more than the limit of before: putting that back would kill it (v2), or be refused (v1)."""
    limit = container_update.set_in(before, stored=_stored(step))["memory_bytes"]
    if before.get("gone") or limit in (None, UNLIMITED) or step.parameters["wanted"].get("memory_bytes") is None:
        return None
    try:
        with Engine(str(step.parameters["host"])) as engine:
            usage = in_use(engine, str(step.parameters["id"]))
    except EngineError:
        return None
    if usage is None or usage < limit:
        return None
    return Text(
        message(
            "{container} holds {usage_bytes}, not less than its old limit of {limit_bytes}: it would be killed; stop it first"
        ),
        {"container": step.target, "usage_bytes": usage, "limit_bytes": int(limit)},
    )


DOER = Doer(container_update.NAME, observe, do, undo, torn, same, obstacle)
