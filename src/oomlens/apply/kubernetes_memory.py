"""What kubernetes-apply and kubernetes-resize share: reaching the cluster of a step, seeing, and putting back."""

from __future__ import annotations

from typing import Any

from oomlens.apply.action import StepError
from oomlens.host.read.cluster import Cluster, ClusterError, reconnect, resource_of
from oomlens.host.write.cluster import patch
from oomlens.model.plan import Json, Step
from oomlens.plan.kubernetes.facts import Answer
from oomlens.plan.kubernetes.memory_step import RESIZE
from oomlens.plan.kubernetes.objects import mapping
from oomlens.plan.kubernetes.server_forms import (
    MANAGER,
    WORDS,
    conflicts_in,
    container_in,
    restored_managers,
    state_of,
    value_patch,
)

_TRIES = 5  # an object's status may change between being read and being patched


class Target:
    """The object that a step is about, on its cluster."""

    def __init__(self, step: Step) -> None:
        self.parameters = step.parameters
        self.subresource = "resize" if step.action == RESIZE else None
        self.name, self.namespace = str(step.parameters["name"]), str(step.parameters["namespace"])
        self.shown = f"{self.namespace}/{str(step.parameters['kind']).lower()}/{self.name}"
        try:
            self.cluster: Cluster = reconnect(step.parameters["connection"])
        except ClusterError as error:
            raise StepError(str(error)) from error

    def resource(self, subresource: str | None = None) -> Any:
        """The class by which lightkube knows the kind."""
        api_version, plural = str(self.parameters["api_version"]), str(self.parameters["plural"])
        return resource_of(api_version, plural, subresource=subresource)

    def found(self) -> dict[str, Any] | None:
        """The object now; None where there is none. Raises StepError."""
        try:
            answer = self.cluster.get(
                str(self.parameters["api_version"]), str(self.parameters["plural"]), self.name, self.namespace
            )
        except ClusterError as error:
            raise StepError(str(error)) from error
        if answer.code == 404:
            return None
        if answer.code != 200:
            raise StepError(self.told(answer))
        return dict(answer.body)

    def patched(self, body: Any, patch_type: str, *, resize: bool = False, force: bool = False) -> Answer:
        """The server's answer to a patch. Raises StepError where there is none."""
        resource = self.resource(self.subresource if resize else None)
        try:
            return patch(self.cluster, resource, self.name, self.namespace, body, patch_type, force=force)
        except ClusterError as error:
            raise StepError(str(error)) from error

    def told(self, answer: Answer) -> str:
        """What the server said, for people: a conflict with managers and fields."""
        conflicts = conflicts_in(answer.body)
        if conflicts:
            fields = "; ".join(f"{one.field} belongs to {one.manager!r}" for one in conflicts)
            return f"{self.shown}: {fields}"
        return f"{self.shown}: the server answered {answer.code}: {answer.body.get('message')}"


def observe(step: Step) -> Json:
    """The memory now and its field managers. Raises StepError."""
    target = Target(step)
    return state_of(target.found(), step.parameters)


def put_back(step: Step, before: Json) -> None:
    """The memory, and its field managers, as they were before. Raises StepError."""
    if not before["present"]:
        return
    target = Target(step)
    for _ in range(_TRIES):
        found = target.found()
        now = state_of(found, step.parameters)
        if found is None or not now["present"] or now["uid"] != before["uid"]:
            return  # another object by now
        _refuse_others(step, target, before, now)
        if now["memory"] == before["memory"]:
            break
        body = value_patch(found, step.parameters, before["memory"], bare=bool(before.get("bare")))
        answer = target.patched(body, "JSON", resize=True)
        if answer.code == 200:
            break
        if answer.code not in (409, 422) or _is_as(target, step, found):
            hint = f"; delete the pod and roll back again: kubectl -n {target.namespace} delete pod {target.name}"
            raise StepError(target.told(answer) + (hint if target.subresource else ""))
    _give_back(step, target, before)


def _is_as(target: Target, step: Step, then: dict[str, Any]) -> bool:
    """Whether the container is still what it was when the patch was made: then it was refused for what it says."""
    return container_in(target.found() or {}, step.parameters)[1] == container_in(then, step.parameters)[1]


def _refuse_others(step: Step, target: Target, before: Json, now: Json) -> None:
    """What somebody else says as well by now is theirs."""
    for word in WORDS:
        new = set(now["managers"][word]) - set(before["managers"][word]) - {MANAGER}
        if new and step.parameters["memory"].get(word) is not None:
            raise StepError(f"{target.shown}: {', '.join(sorted(new))} says its memory as well by now")


def _give_back(step: Step, target: Target, before: Json) -> None:
    """Field managers as they were. A server that does not let them be written keeps its own: the values are what counts."""
    for _ in range(_TRIES):
        found = target.found()
        now = state_of(found, step.parameters)
        if found is None or not now["present"]:
            return
        wanted = restored_managers(now["managed_fields"], before["managed_fields"], step.parameters, target.subresource)
        if wanted == now["managed_fields"]:
            return
        version = mapping(found, "metadata").get("resourceVersion")
        body = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": wanted},
        ]
        if target.patched(body, "JSON").code not in (409, 422):
            return


def torn(_step: Step, before: Json, now: Json) -> bool:
    """A request is done or not done as a whole; only the field managers may differ."""
    return bool(before.get("present") == now.get("present") and before.get("memory") == now.get("memory"))
