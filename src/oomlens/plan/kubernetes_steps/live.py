"""A change of memory on a cluster: the running pods in place where the server can, the workload for good."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

from oomlens.i18n import message
from oomlens.model.plan import Effect, Plan, Safety, Step, Text, Value, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.assemble import make_plan
from oomlens.plan.kubernetes.facts import ClusterFacts, Wish
from oomlens.plan.kubernetes.judge import Judged, change_words, judged
from oomlens.plan.kubernetes.kustomize import patch_lines
from oomlens.plan.kubernetes.manifests import chosen_container, wanted_memory
from oomlens.plan.kubernetes.memory_step import APPLY, kubernetes_memory
from oomlens.plan.kubernetes.neighbours import default_limit
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container, Workload, mapping, workload_of
from oomlens.plan.kubernetes.owners import Owner, keepers_of
from oomlens.plan.kubernetes.server_forms import WORDS, apply_body, conflicts_in, refused, state_of
from oomlens.plan.kubernetes.sizing import sized
from oomlens.plan.kubernetes_steps.names import KIND, REMEDY
from oomlens.plan.kubernetes_steps.pods import parameters_of, resizes
from oomlens.plan.kubernetes_steps.told import (
    container_named,
    kills_of,
    names_of,
    unread_of,
    use_of,
    watched_of,
    why_of,
)

_MOST_PODS = 100  # that are resized one by one
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FIRST_LOWERING = 34  # minor version whose kubelets lower a memory limit in place


def plan_for_cluster(wish: Wish, facts: ClusterFacts) -> Plan:
    """The plan. Raises NoPlanError."""
    workload = _workload(wish, facts)
    named = container_named(facts, wish.container)
    container = chosen_container(workload, replace(wish, container=named))
    amount = wish.amount
    if container.limit is None:
        amount = replace(amount, default_limit=default_limit(facts.neighbours, workload.namespace))
    amount = replace(amount, kills=max(amount.kills, kills_of(facts, container.name)))
    node_bytes = wish.node_bytes or min(facts.node_bytes.values(), default=None)
    largest = wish.node_bytes or max(facts.node_bytes.values(), default=None)
    size = sized(container, amount)
    found = judged(workload, container, size, facts.neighbours, workload.namespace, node_bytes, largest)
    _refuse_lower(found, facts)
    steps, warnings = _steps(wish, facts, found, container)
    values: dict[str, Value] = {
        "container": container.name,
        "workload": workload.title,
        "change": change_words(container, found.sized),
        "namespace": workload.namespace,
    }
    return make_plan(
        Plan(
            KIND,
            REMEDY,
            f"{workload.namespace}/{workload.title} {container.name}",
            Text(message("Memory of {container} in {workload} in the namespace {namespace}: {change}"), values),
            steps,
            wish.argv,
            why=tuple(why_of(facts)),
            arithmetic=(*found.arithmetic, *use_of(facts, container)),
            cost_bytes=found.cost_bytes,
            cost_of="ram" if found.cost_bytes is not None else None,
            warnings=(*found.warnings, *warnings, *unread_of(facts)),
            watch=Watch(containers=tuple(watched_of(facts, container.name))),
        )
    )


def _workload(wish: Wish, facts: ClusterFacts) -> Workload:
    if facts.static_node is not None:
        raise NoPlanError(
            "static-pod",
            Text(
                message("{pod} is a static pod: the kubelet of {node} runs it from a file there"),
                {"pod": facts.chain[-1], "node": facts.static_node},
            ),
            Text(message("on that node: oomlens plan limit kubernetes /etc/kubernetes/manifests")),
        )
    workload = workload_of(facts.workload)
    if workload is None:
        raise NoPlanError("no-workload", Text(message("{workload} has no containers"), {"workload": facts.chain[-1]}))
    running = len(facts.pods)
    if workload.replicas is None and running:
        workload = replace(workload, replicas=running)
    return workload if wish.namespace is None else replace(workload, namespace=workload.namespace or wish.namespace)


def _steps(wish: Wish, facts: ClusterFacts, found: Judged, container: Container) -> tuple[tuple[Step, ...], list[Text]]:
    keeper = next((one for one in keepers_of(facts.workload) if one.keeper is None or one.keeper.reverts), None)
    if keeper is None and facts.unknown_owner is not None:
        keeper = Owner(None, facts.unknown_owner, "ownerReferences")
    if keeper is not None:
        return (_for_owner(found, container, keeper),), [_where(keeper)]
    warnings: list[Text] = []
    for one in keepers_of(facts.workload):
        text = message("{owner} made this object ({by}): its next release says the memory again")
        warnings += [Text(text, {"owner": one.name, "by": one.by}), _where(one)]
    in_place, more = resizes(facts, found, container)
    warnings += more
    if found.change.after.kind.restarts == "never":
        if found.change.after.kind.name == "Pod" and in_place:
            return tuple(in_place), warnings
        return (*in_place, _anew(found.change.after, facts)), warnings
    step, told = _applied(wish, facts, found, container)
    return (*in_place, step), [*warnings, *told]


def _applied(wish: Wish, facts: ClusterFacts, found: Judged, container: Container) -> tuple[Step, list[Text]]:
    """The workload itself, after the server was asked what it would answer. Raises NoPlanError."""
    workload = found.change.after
    parameters = parameters_of(facts, workload, container, found)
    warnings: list[Text] = []
    taken = _asked(wish, facts, parameters, container, warnings)
    parameters["take_over"] = taken
    parameters["body"] = apply_body(facts.workload, parameters)
    rolls = workload.kind.restarts == "rolls" and not _waits(workload)
    title = (
        message("apply the memory of {container} to {workload}; its pods are replaced one after the other")
        if rolls
        else message("apply the memory of {container} to {workload}; pods that are made from now on have it")
    )
    return kubernetes_memory(
        APPLY,
        Text(title, {"container": container.name, "workload": workload.title}),
        parameters,
        state_of(facts.workload, parameters),
        safety=Safety.DISRUPTIVE if rolls else Safety.SAFE,
        effect=Effect.NOW if rolls else Effect.RECREATION,
    ), warnings


def _waits(workload: Workload) -> bool:
    """Whether its pods are replaced only when somebody deletes them, or it is paused."""
    spec = mapping(workload.object, "spec")
    return mapping(spec, "updateStrategy").get("type") == "OnDelete" or spec.get("paused") is True


def _asked(
    wish: Wish, facts: ClusterFacts, parameters: dict[str, Any], container: Container, warnings: list[Text]
) -> list[str]:
    """Asks the server (dry run); gives the field managers that are to be taken over. Raises NoPlanError."""
    if facts.dry_run is None:
        return []
    target = f"{parameters['namespace']}/{parameters['kind'].lower()}/{parameters['name']}"
    answer = facts.dry_run(parameters, False)
    taken: list[str] = []
    conflicts = conflicts_in(answer.body) if answer.code == 409 else ()
    if conflicts:
        others = sorted({one.manager for one in conflicts} - set(wish.take_over))
        if others:
            raise _conflict(facts, parameters, others, conflicts[0].field)
        taken = sorted({one.manager for one in conflicts})
        answer = facts.dry_run(parameters, True)
        text = message("{managers} said this memory until now; oomlens takes that over, and rollback gives it back")
        warnings.append(Text(text, {"managers": ", ".join(taken)}))
    if answer.code != 200:
        error = refused(answer, target)
        raise NoPlanError(error.code, error.text, error.hint, _kubectl_patch(facts, parameters))
    said = state_of(answer.body, parameters)
    for word in WORDS:
        wanted = parameters["memory"].get(word)
        if wanted is not None and said["present"] and said["memory"][word] != wanted:
            text = message(
                "the server would make {found} of the {word} of {container}, not {wanted}: something there changes it"
            )
            raise NoPlanError(
                "changed-by-server",
                Text(
                    text, {"found": said["memory"][word], "word": word, "container": container.name, "wanted": wanted}
                ),
            )
    warnings.append(Text(message("the server was asked (dry run) and would take it")))
    if _LAST_APPLIED in mapping(facts.workload, "metadata", "annotations"):
        text = message(
            "it was made with kubectl apply: change its manifest too, the next apply says the old memory again"
        )
        warnings.append(Text(text))
    return taken


def _conflict(facts: ClusterFacts, parameters: dict[str, Any], others: list[str], field: str) -> NoPlanError:
    managers = ", ".join(others)
    words = " ".join(f"--take-over {shlex.quote(one)}" for one in others)
    return NoPlanError(
        "field-conflict",
        Text(
            message("the field {field} belongs to the field manager {managers}"), {"field": field, "managers": managers}
        ),
        Text(message("change it where that one has it from, or take the field over: {words}"), {"words": words}),
        _kubectl_patch(facts, parameters),
    )


def _for_owner(found: Judged, container: Container, owner: Owner) -> Step:
    """The exact patch for whoever keeps the object; nothing is done here, since it would be undone."""
    workload = found.change.after
    patch = json.dumps(patch_lines(workload, container, wanted_memory(found.sized)), indent=2)
    commands = [f"# {owner.name}", *(f"# {line}" for line in patch.splitlines())]
    title = message(
        "{owner} keeps {workload} as it says itself ({by}) and would undo a change here: give its owner this patch"
    )
    values = {"owner": owner.name, "workload": workload.title, "by": owner.by}
    return by_hand(commands, Text(title, values), target=owner.name, effect=Effect.RECREATION)


def _where(owner: Owner) -> Text:
    return Text(owner.keeper.where if owner.keeper is not None else message("change it in the object that owns it"))


def _anew(workload: Workload, facts: ClusterFacts) -> Step:
    """What cannot be changed is made anew."""
    kubectl = _kubectl(facts, workload.namespace)
    thing = shlex.quote(workload.title)
    file = shlex.quote(f"{workload.name}.yaml")
    commands = [
        f"{kubectl} get {thing} -o yaml > {file}",
        f"oomlens plan limit kubernetes {file}",
        f"{kubectl} replace --force -f {file}",
    ]
    title = Text(message("{workload} cannot be changed, only made anew"), {"workload": workload.title})
    return by_hand(commands, title, target=workload.title)


def _kubectl(facts: ClusterFacts, namespace: str | None) -> str:
    words = ["kubectl", *(("--context", facts.connection.context) if facts.connection.context else ())]
    return shlex.join([*words, "-n", namespace or "default"])


def _kubectl_patch(facts: ClusterFacts, parameters: dict[str, Any]) -> tuple[str, ...]:
    """For someone who may."""
    memory = {word: {"memory": value} for word, value in parameters["memory"].items() if value is not None}
    spec: Any = {parameters["field"]: [{"name": parameters["container"], "resources": memory}]}
    for step in reversed(parameters["pod_spec"]):
        spec = {step: spec}
    thing = shlex.quote(f"{parameters['kind'].lower()}/{parameters['name']}")
    patch = shlex.quote(json.dumps(spec))
    return (f"{_kubectl(facts, parameters['namespace'])} patch {thing} --type strategic --patch {patch}",)


def _refuse_lower(found: Judged, facts: ClusterFacts) -> None:
    """A limit below what is in use now kills."""
    before, after = (
        found.change.sizes(found.change.before).limit_bytes,
        found.change.sizes(found.change.after).limit_bytes,
    )
    if after is None or (before is not None and after >= before):
        return
    for (pod, name), used in facts.usage_bytes.items():
        if name == found.change.container and used >= after and pod in names_of(facts.pods):
            text = message(
                "{pod} uses {usage_bytes} now, not less than the new limit of {limit_bytes}: it would be killed"
            )
            raise NoPlanError("usage-above-limit", Text(text, {"pod": pod, "usage_bytes": used, "limit_bytes": after}))
