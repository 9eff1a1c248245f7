"""kubernetes-apply, the other half: server-side apply, forced only over the field managers that the plan names."""

from __future__ import annotations

from oomlens.apply import kubernetes_memory
from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import kubernetes_apply
from oomlens.plan.kubernetes.memory_step import same
from oomlens.plan.kubernetes.objects import mapping
from oomlens.plan.kubernetes.server_forms import apply_body, conflicts_in

_TRIES = 5


def observe(step: Step, _machine: Machine) -> Json:
    """The memory now and its field managers."""
    return kubernetes_memory.observe(step)


def do(step: Step, before: Json, _machine: Machine) -> None:
    """Asks (dry run), then applies. Raises StepError."""
    target = kubernetes_memory.Target(step)
    allowed = set(step.parameters.get("take_over") or ())
    for _ in range(_TRIES):
        found = target.found()
        if found is None or mapping(found, "metadata").get("uid") != before.get("uid"):
            raise StepError(f"{target.shown}: it is gone, or another one by now")
        body = apply_body(found, step.parameters)
        body["metadata"]["resourceVersion"] = mapping(found, "metadata").get("resourceVersion")
        answer = target.cluster.dry_run(target.resource(), target.name, target.namespace, body, "APPLY")
        conflicts = conflicts_in(answer.body) if answer.code == 409 else ()
        force = bool(conflicts) and {one.manager for one in conflicts} <= allowed
        if answer.code == 200 or force:
            answer = target.patched(body, "APPLY", force=force)
        if answer.code in (200, 201):
            return
        if answer.code != 409 or conflicts_in(answer.body):
            break  # not a matter of another version
    raise StepError(target.told(answer))


def undo(step: Step, before: Json, _machine: Machine) -> None:
    """The memory and its field managers as they were. Raises StepError."""
    kubernetes_memory.put_back(step, before)


DOER = Doer(kubernetes_apply.NAME, observe, do, undo, kubernetes_memory.torn, same)
