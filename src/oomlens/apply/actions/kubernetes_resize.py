"""kubernetes-resize, the other half: the pod's `resize` subresource, and what the kubelet makes of it."""

from __future__ import annotations

import time

from oomlens.apply import kubernetes_memory
from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import kubernetes_resize
from oomlens.plan.kubernetes.memory_step import same, wanted
from oomlens.plan.kubernetes.objects import mapping, sequence
from oomlens.plan.kubernetes.server_forms import value_patch

# How long the kubelet is given to say that it cannot do it; it looks at its pods every second or so.
_WAIT_SECONDS, _PAUSE_SECONDS = 5.0, 0.5


def observe(step: Step, _machine: Machine) -> Json:
    """The memory that is wanted of the pod now."""
    return kubernetes_memory.observe(step)


def do(step: Step, before: Json, machine: Machine) -> None:
    """Resizes, and waits for a refusal of the kubelet. Raises StepError."""
    target = kubernetes_memory.Target(step)
    found = target.found()
    if found is None:
        return  # gone: what follows it is made from the workload
    body = value_patch(found, step.parameters, wanted(step, before))
    answer = target.patched(body, "JSON", resize=True)
    if answer.code != 200:
        raise StepError(target.told(answer))
    refused = _refused(target)
    if refused is not None:
        undo(step, before, machine)
        raise StepError(f"{target.shown}: the node does not do it: {refused}")


def _refused(target: kubernetes_memory.Target) -> str | None:
    """What the kubelet has against it (condition PodResizePending: Deferred or Infeasible); None where nothing, or it is done."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        pod = target.found()
        if pod is None:
            return None
        for one in sequence(pod, "status", "conditions"):
            if mapping(one).get("type") == "PodResizePending" and one.get("status") == "True":
                return f"{one.get('reason')}: {one.get('message')}"
        if _done(pod, target):
            return None
        time.sleep(_PAUSE_SECONDS)
    return None


def _done(pod: Json, target: kubernetes_memory.Target) -> bool:
    """Whether the container's own status shows the new memory."""
    wish = target.parameters["memory"]
    for field in ("containerStatuses", "initContainerStatuses"):
        for one in sequence(pod, "status", field):
            if mapping(one).get("name") == target.parameters["container"]:
                limit = mapping(one, "resources", "limits").get("memory")
                return wish.get("limits") is None or limit == wish["limits"]
    return False


def undo(step: Step, before: Json, _machine: Machine) -> None:
    """The memory that it had. Raises StepError."""
    kubernetes_memory.put_back(step, before)


def same_or_gone(before: Json, now: Json) -> bool:
    """A pod that was replaced has nothing to put back."""
    return same(before, now) or not now["present"] or bool(before["present"] and before["uid"] != now["uid"])


DOER = Doer(kubernetes_resize.NAME, observe, do, undo, kubernetes_memory.torn, same_or_gone)
