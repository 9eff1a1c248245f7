"""Running pods: each resized in place, where the server and the pod allow it."""

from __future__ import annotations

from typing import Any

from oomlens.i18n import message
from oomlens.model.plan import Lasts, Safety, Step, Text, Value
from oomlens.plan.kubernetes.facts import ClusterFacts
from oomlens.plan.kubernetes.judge import Judged
from oomlens.plan.kubernetes.memory_step import RESIZE, kubernetes_memory
from oomlens.plan.kubernetes.objects import Container, Workload, mapping, workload_of
from oomlens.plan.kubernetes.quantity import same
from oomlens.plan.kubernetes.server_forms import apply_body, said, state_of

_MOST_PODS = 100  # that are resized one by one
_FIRST_LOWERING = 34  # minor version whose kubelets lower a memory limit in place


def resizes(facts: ClusterFacts, found: Judged, container: Container) -> tuple[list[Step], list[Text]]:
    """Steps for each running pod in place, where that can be done."""
    pods = [pod for pod in facts.pods if mapping(pod, "status").get("phase") == "Running"]
    if not pods or facts.resize is not True:
        return [], []
    if found.class_changes:
        return [], [Text(message("running pods stay as they are: a resize may not change the QoS class"))]
    if len(pods) > _MOST_PODS:
        return [], [
            Text(
                message("running pods stay as they are: {count} are too many to resize one by one"),
                {"count": len(pods)},
            )
        ]
    by_name = {str(mapping(pod, "metadata").get("name")): pod for pod in pods}
    steps, left = list[Step](), 0
    for pod in pods:
        step = _resize(facts, pod, found, container)
        if step is None:
            left += 1
        else:
            steps.append(step)
    if steps and facts.dry_resize is not None:
        answer = facts.dry_resize(by_name[str(steps[0].parameters["name"])], steps[0].parameters)
        if answer.code != 200:
            told = message("running pods stay as they are: the server would not resize {pod}: {why}")
            values: dict[str, Value] = {"pod": steps[0].target, "why": said(answer)}
            return [], [Text(told, values)]
    notes: list[Text] = []
    if steps and (facts.minor or 0) < _FIRST_LOWERING:
        text = message(
            "this server (1.{minor}) cannot lower a limit in place: pods that were resized keep the memory until they are replaced"
        )
        notes = [Text(text, {"minor": facts.minor})]
    if left:
        text = message(
            "{count} running pods stay as they are: they have other memory, or this server cannot lower a limit in place"
        )
        return steps, [*notes, Text(text, {"count": left})]
    return steps, notes


def _resize(facts: ClusterFacts, pod: Any, found: Judged, container: Container) -> Step | None:
    workload = workload_of(pod)
    here = next((one for one in workload.containers if one.name == container.name), None) if workload else None
    if workload is None or here is None or here.role == "init":
        return None
    parameters = parameters_of(facts, workload, here, found)
    parameters["body"] = apply_body(pod, parameters)
    state = state_of(pod, parameters)
    after = found.change.sizes(found.change.after)
    lowers = (here.limit_bytes or 0) > (after.limit_bytes or 0)
    if container.limit is not None and not same(here.limit, container.limit):
        return None  # somebody gave this pod another memory than its workload says
    if here.limit_bytes is None or here.limit_bytes == after.limit_bytes:
        return None  # limits cannot be added to a pod without one, and there is nothing to do where it is so already
    if lowers and not here.restart_on_resize and (facts.minor or 0) < _FIRST_LOWERING:
        return None
    title = (
        message("resize the memory of {container} in the running pod {pod}; the container is restarted")
        if here.restart_on_resize
        else message("resize the memory of {container} in the running pod {pod}, without a restart")
    )
    return kubernetes_memory(
        RESIZE,
        Text(title, {"container": container.name, "pod": workload.name}),
        parameters,
        state,
        safety=Safety.DISRUPTIVE if lowers or here.restart_on_resize else Safety.SAFE,
        lasts=Lasts.RECREATION,
    )


def parameters_of(facts: ClusterFacts, workload: Workload, container: Container, found: Judged) -> dict[str, Any]:
    """The parameters of a step, without its body."""
    return {
        "connection": facts.connection.as_json(),
        "api_version": str(workload.object.get("apiVersion") or workload.kind.api_version),
        "kind": workload.kind.name,
        "plural": workload.kind.plural,
        "namespace": workload.namespace,
        "name": workload.name,
        "pod_spec": list(workload.kind.pod_spec),
        "field": container.field,
        "container": container.name,
        "memory": {"limits": found.sized.limit, "requests": found.sized.request},
    }
