"""A change of memory on a cluster: the running pods in place where the server can, the workload for good."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, Lasts, Plan, Proposal, Safety, Step, Text, Value, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.assemble import make_plan
from oomlens.plan.kubernetes.facts import ClusterFacts, Wish
from oomlens.plan.kubernetes.judge import Judged, change_words, judged
from oomlens.plan.kubernetes.kustomize import patch_lines
from oomlens.plan.kubernetes.manifests import chosen_container, wanted_memory
from oomlens.plan.kubernetes.memory_step import APPLY, RESIZE, kubernetes_memory
from oomlens.plan.kubernetes.neighbours import default_limit
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container, Workload, mapping, sequence, workload_of
from oomlens.plan.kubernetes.owners import Owner, keepers_of
from oomlens.plan.kubernetes.server_forms import WORDS, apply_body, conflicts_in, refused, state_of
from oomlens.plan.kubernetes.sizing import sized

_MOST_PODS = 100  # that are resized one by one
_FIRST_LOWERING = 34  # minor version whose kubelets lower a memory limit in place


KIND, REMEDY = "limit kubernetes", "raise-pod-limit"


def propose(wish: Wish, facts: ClusterFacts) -> tuple[Proposal, ...]:
    """One plan for one workload, or why not."""
    try:
        return (_plan(wish, facts),)
    except NoPlanError as error:
        return (error.refusal(KIND, wish.workload or wish.pod_uid or facts.connection.server),)


def _plan(wish: Wish, facts: ClusterFacts) -> Plan:
    workload = _workload(wish, facts)
    container = chosen_container(workload, wish)
    amount = wish.amount
    if container.limit is None:
        amount = replace(amount, default_limit=default_limit(facts.neighbours, workload.namespace))
    amount = replace(amount, kills=max(amount.kills, _kills(facts, container.name)))
    node_bytes = wish.node_bytes or min(facts.node_bytes.values(), default=None)
    found = judged(workload, container, sized(container, amount), facts.neighbours, workload.namespace, node_bytes)
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
            why=tuple(_why(facts)),
            arithmetic=(*found.arithmetic, *_use(facts, container)),
            cost_bytes=found.cost_bytes,
            cost_of="ram" if found.cost_bytes is not None else None,
            warnings=(*found.warnings, *warnings, *_unread(facts)),
            watch=Watch(containers=tuple(_watched(facts, container.name))),
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
    resizes, more = _resizes(facts, found, container)
    warnings += more
    if found.change.after.kind.restarts == "never":
        if found.change.after.kind.name == "Pod" and resizes:
            return tuple(resizes), warnings
        return (*resizes, _anew(found.change.after, facts)), warnings
    step, told = _applied(wish, facts, found, container)
    return (*resizes, step), [*warnings, *told]


def _applied(wish: Wish, facts: ClusterFacts, found: Judged, container: Container) -> tuple[Step, list[Text]]:
    """The workload itself, after the server was asked what it would answer. Raises NoPlanError."""
    workload = found.change.after
    parameters = _parameters(facts, workload, container, found)
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
        effect=Effect.NOW if rolls else Effect.RESTART,
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


def _resizes(facts: ClusterFacts, found: Judged, container: Container) -> tuple[list[Step], list[Text]]:
    """Each running pod in place, where that can be done."""
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
    steps, left = [], 0
    for pod in pods:
        step = _resize(facts, pod, found, container)
        if step is None:
            left += 1
        else:
            steps.append(step)
    if left:
        text = message(
            "{count} running pods stay as they are: they have other memory, or this server cannot lower a limit in place"
        )
        return steps, [Text(text, {"count": left})]
    return steps, []


def _resize(facts: ClusterFacts, pod: Any, found: Judged, container: Container) -> Step | None:
    workload = workload_of(pod)
    here = next((one for one in workload.containers if one.name == container.name), None) if workload else None
    if workload is None or here is None or here.role == "init":
        return None
    parameters = _parameters(facts, workload, here, found)
    parameters["body"] = apply_body(pod, parameters)
    state = state_of(pod, parameters)
    after = found.change.sizes(found.change.after)
    lowers = (here.limit_bytes or 0) > (after.limit_bytes or 0)
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
        lasts=Lasts.RESTART,
    )


def _parameters(facts: ClusterFacts, workload: Workload, container: Container, found: Judged) -> dict[str, Any]:
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


def _for_owner(found: Judged, container: Container, owner: Owner) -> Step:
    """The exact patch for whoever keeps the object; nothing is done here, since it would be undone."""
    workload = found.change.after
    patch = json.dumps(patch_lines(workload, container, wanted_memory(found.sized)), indent=2)
    commands = [f"# {owner.name}", *(f"# {line}" for line in patch.splitlines())]
    title = message(
        "{owner} keeps {workload} as it says itself ({by}) and would undo a change here: give its owner this patch"
    )
    values = {"owner": owner.name, "workload": workload.title, "by": owner.by}
    return by_hand(commands, Text(title, values), target=owner.name, effect=Effect.RESTART)


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
        if name == found.change.container and used >= after and pod in _names(facts.pods):
            text = message(
                "{pod} uses {usage_bytes} now, not less than the new limit of {limit_bytes}: it would be killed"
            )
            raise NoPlanError("usage-above-limit", Text(text, {"pod": pod, "usage_bytes": used, "limit_bytes": after}))


def _names(pods: Sequence[Any]) -> set[str]:
    return {str(mapping(pod, "metadata").get("name")) for pod in pods}


def _statuses(facts: ClusterFacts, container: str | None = None) -> Iterator[Any]:
    for pod in facts.pods:
        for field in ("containerStatuses", "initContainerStatuses"):
            for one in sequence(pod, "status", field):
                if container is None or mapping(one).get("name") == container:
                    yield one


def _kills(facts: ClusterFacts, container: str) -> int:
    """2 where a container was restarted several times and its last end was a kill for memory: a second step is larger."""
    for one in _statuses(facts, container):
        last = mapping(one, "lastState", "terminated") or mapping(one, "state", "terminated")
        if last.get("reason") == "OOMKilled" and int(one.get("restartCount") or 0) > 1:
            return 2
    return 1


def _why(facts: ClusterFacts) -> Iterator[Text]:
    if len(facts.chain) > 1:
        yield Text(message("what makes the pod: {chain}"), {"chain": " <- ".join(facts.chain)})
    for one in _statuses(facts):
        last = mapping(one, "lastState", "terminated") or mapping(one, "state", "terminated")
        if last.get("reason") == "OOMKilled":
            values = {"container": str(one.get("name")), "code": last.get("exitCode"), "count": one.get("restartCount")}
            yield Text(message("{container} ended as OOMKilled (exit status {code}); restarts: {count}"), values)


def _use(facts: ClusterFacts, container: Container) -> Iterator[Evidence]:
    used = [
        size for (pod, name), size in facts.usage_bytes.items() if name == container.name and pod in _names(facts.pods)
    ]
    if used:
        yield Evidence("usage_bytes", max(used), "bytes", message("the most that a pod uses now"))


def _unread(facts: ClusterFacts) -> Iterator[Text]:
    for what, why in facts.unread:
        yield Text(message("not looked at: {what} ({why})"), {"what": what, "why": why})


def _watched(facts: ClusterFacts, container: str) -> Iterator[str]:
    """Pods by uid, as their cgroups are called, and their containers by id."""
    for pod in facts.pods:
        yield str(mapping(pod, "metadata").get("uid"))
    for one in _statuses(facts, container):
        found = str(one.get("containerID") or "").rpartition("//")[2]
        if found:
            yield found
