"""What the actions kubernetes-apply and kubernetes-resize share: steps that say a container's memory on a server.

State: see `oomlens.plan.kubernetes.server_forms.state_of`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.kubernetes.quantity import same as same_amount
from oomlens.plan.kubernetes.server_forms import MANAGER, WORDS

APPLY, RESIZE = "kubernetes-apply", "kubernetes-resize"


def kubernetes_memory(
    name: str,
    title: Text,
    parameters: Mapping[str, Json],
    before: Json,
    *,
    safety: Safety,
    effect: Effect = Effect.NOW,
    lasts: Lasts = Lasts.FOR_GOOD,
) -> Step:
    """The step. name: APPLY or RESIZE.

    parameters: connection (kubeconfig, context, server), api_version, kind, plural, namespace, name, pod_spec (path), field
    ("containers" or "initContainers"), container, memory ({limits, requests}: quantities, None: as it is), take_over (field
    managers whose fields may be taken), body (the apply configuration as it was planned, for people).
    """
    seen = {key: before[key] for key in ("present", "uid", "memory")}
    target = f"{parameters['namespace']}/{parameters['kind'].lower()}/{parameters['name']}"
    return Step(name, target, title, dict(parameters), seen, safety, effect, lasts)


def wanted(step: Step, state: Json) -> dict[str, str | None]:
    """The memory afterwards, from a state before."""
    memory = step.parameters["memory"]
    return {word: memory[word] if memory.get(word) is not None else state["memory"][word] for word in WORDS}


def same(left: Json, right: Json) -> bool:
    """Whether two states are of one object with the same memory; two that are gone are the same."""
    if not left["present"] or not right["present"]:
        return bool(left["present"] == right["present"])
    return bool(left["uid"] == right["uid"]) and all(
        same_amount(left["memory"][word], right["memory"][word]) for word in WORDS
    )


def reached(step: Step, state: Json) -> bool:
    """Whether the memory is what is wanted; a pod that is gone needs it no more."""
    if not state["present"]:
        return step.action == RESIZE
    if step.action == RESIZE and step.before and state["uid"] != step.before["uid"]:
        return True  # another pod of that name
    return all(same_amount(wanted(step, state)[word], state["memory"][word]) for word in WORDS)


def fits(step: Step, state: Json) -> bool:
    """Whether the object and its memory are those that the plan was made for."""
    return step.before is None or same(step.before, state)


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The same by kubectl: first what the server would answer, then the change."""
    body = json.dumps(step.parameters["body"], ensure_ascii=True)
    if step.action == RESIZE:
        patch = shlex.quote(json.dumps(_spec_only(step.parameters["body"])))
        pod = shlex.quote(str(step.parameters["name"]))
        return (f"{_kubectl(step)} patch pod {pod} --subresource resize --patch {patch}",)
    force = " --force-conflicts" if step.parameters.get("take_over") else ""
    head = (
        f"printf '%s' {shlex.quote(body)} | {_kubectl(step)} apply --server-side --field-manager={MANAGER}{force} -f -"
    )
    return (f"{head} --dry-run=server -o yaml", head)


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The memory that was there, by a strategic merge patch."""
    memory = {word: {"memory": step.before["memory"][word]} for word in WORDS if _changes(step, word)}
    spec: Json = {step.parameters["field"]: [{"name": step.parameters["container"], "resources": memory}]}
    for part in reversed(step.parameters["pod_spec"]):
        spec = {part: spec}
    patch = shlex.quote(json.dumps(spec))
    thing = f"{shlex.quote(str(step.parameters['kind']).lower())} {shlex.quote(str(step.parameters['name']))}"
    resize = " --subresource resize" if step.action == RESIZE else ""
    return (f"{_kubectl(step)} patch {thing}{resize} --type strategic --patch {patch}",)


def _changes(step: Step, word: str) -> bool:
    wish = step.parameters["memory"].get(word)
    return wish is not None and not same_amount(wish, step.before["memory"][word])


def _spec_only(body: Mapping[str, Json]) -> Json:
    return {key: value for key, value in body.items() if key == "spec"}


def _kubectl(step: Step) -> str:
    connection = step.parameters["connection"]
    words = ["kubectl"]
    if connection.get("kubeconfig"):
        words += ["--kubeconfig", str(connection["kubeconfig"])]
    if connection.get("context"):
        words += ["--context", str(connection["context"])]
    return shlex.join([*words, "-n", str(step.parameters["namespace"])])
