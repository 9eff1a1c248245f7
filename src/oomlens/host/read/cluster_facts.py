"""Facts of a live workload for `limit kubernetes`: the workload, its pods, its neighbours, what the server can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oomlens.host.read.cluster import Cluster, resource_of
from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.plan.kubernetes.facts import Answer, ClusterFacts, Wish
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import KINDS, Kind, Object, kind_named, mapping, sequence, text_or_none
from oomlens.plan.kubernetes.owners import controller_of
from oomlens.plan.kubernetes.quantity import QuantityError, memory_bytes
from oomlens.plan.kubernetes.server_forms import apply_body, refused, said, state_of, value_patch

_STATIC = "kubernetes.io/config.hash"
_MIRROR = "kubernetes.io/config.mirror"
# Where a bare name is looked for, and in which order.
_GUESSED = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet", "ReplicationController", "Pod")
_NEIGHBOURS = (
    ("LimitRange", "v1", "limitranges"),
    ("ResourceQuota", "v1", "resourcequotas"),
    ("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    ("VerticalPodAutoscaler", "autoscaling.k8s.io/v1", "verticalpodautoscalers"),
)


def read_cluster(cluster: Cluster, wish: Wish) -> ClusterFacts:
    """What a planner needs. Raises ClusterError, NoPlanError."""
    namespace = wish.namespace or cluster.namespace
    pod = _pod_by_uid(cluster, wish) if wish.pod_uid is not None else None
    chain = _chain(cluster, pod if pod is not None else _named(cluster, wish, namespace))
    workload = chain[-1]
    namespace = str(mapping(workload, "metadata").get("namespace") or namespace)
    outer = controller_of(workload)
    unread: list[tuple[str, str]] = []
    pods = _pods_of(cluster, workload, namespace, unread)
    neighbours, nodes = _neighbours(cluster, namespace, unread), _nodes(cluster, pods, unread)
    version = cluster.raw("/version")
    return ClusterFacts(
        cluster.connection,
        workload,
        pods,
        tuple(f"{str(one.get('kind')).lower()}/{mapping(one, 'metadata').get('name')}" for one in chain),
        None
        if outer is None or outer.get("kind") == "Node"
        else f"{outer.get('kind')} {outer.get('name')} ({outer.get('apiVersion')})",
        _static_node(workload),
        neighbours,
        tuple(unread),
        _has_resize(cluster),
        _minor(version),
        nodes,
        _usage(cluster, namespace),
        lambda parameters, force: dry_run(cluster, workload, parameters, force=force),
        lambda pod, parameters: dry_resize(cluster, pod, parameters),
    )


def dry_run(cluster: Cluster, found: Object, parameters: Mapping[str, Any], *, force: bool) -> Answer:
    """The server's answer to the apply of a step. Raises ClusterError."""
    resource = resource_of(parameters["api_version"], parameters["plural"])
    body = apply_body(found, parameters)
    return cluster.dry_run(resource, parameters["name"], parameters["namespace"], body, "APPLY", force=force)


def dry_resize(cluster: Cluster, pod: Object, parameters: Mapping[str, Any]) -> Answer:
    """The server's answer to the resize of a step. Raises ClusterError."""
    resource = resource_of("v1", "pods", subresource="resize")
    now = state_of(pod, parameters)["memory"]
    wanted = {word: parameters["memory"].get(word) or now[word] for word in now}
    body = value_patch(pod, parameters, wanted)
    return cluster.dry_run(resource, parameters["name"], parameters["namespace"], body, "JSON")


def _named(cluster: Cluster, wish: Wish, namespace: str) -> Object:
    word, _, name = (wish.workload or "").rpartition("/")
    if not name:
        raise NoPlanError(
            "no-workload",
            Text(message("which workload of the cluster?")),
            Text(message("say --workload KIND/NAME, or --pod-uid UID as the kernel's log has it")),
        )
    kind = kind_named(word) if word else None
    if word and kind is None:
        kinds = ", ".join(KINDS)
        raise NoPlanError(
            "unknown-kind",
            Text(message("{kind} is no kind whose pods this can change: {kinds}"), {"kind": word, "kinds": kinds}),
        )
    for one in [kind] if kind is not None else [KINDS[each] for each in _GUESSED]:
        answer = cluster.get(one.api_version, one.plural, name, namespace)
        if answer.code == 200:
            return _with_kind(answer.body, one)
        if answer.code != 404:
            raise refused(answer, f"{namespace}/{one.name.lower()}/{name}")
    raise NoPlanError(
        "no-workload",
        Text(
            message("the namespace {namespace} has no {workload}"), {"namespace": namespace, "workload": wish.workload}
        ),
        Text(message("see: kubectl get deploy,sts,ds,cronjob,pod -A")),
    )


def _pod_by_uid(cluster: Cluster, wish: Wish) -> Object:
    """The pod with a uid, or the static pod whose hash that is (its cgroup is named after the hash)."""
    answer = cluster.list("v1", "pods", wish.namespace)
    if answer.code != 200:
        error = refused(answer, "pods")
        raise NoPlanError(error.code, error.text, Text(message("say the namespace: --namespace NAME")))
    for pod in sequence(answer.body, "items"):
        meta = mapping(pod, "metadata")
        if wish.pod_uid in (meta.get("uid"), mapping(meta, "annotations").get(_STATIC)):
            return _with_kind(pod, KINDS["Pod"])
    raise NoPlanError(
        "no-pod",
        Text(message("no pod of the cluster has the uid {uid} now: it was replaced"), {"uid": wish.pod_uid}),
        Text(message("say what makes such pods: --workload KIND/NAME --namespace NAME")),
    )


def _chain(cluster: Cluster, found: Object) -> list[Object]:
    """An object and its owners, as far as they are of kinds that make pods."""
    chain = [found]
    while (owner := controller_of(chain[-1])) is not None and len(chain) < 5:
        kind = KINDS.get(str(owner.get("kind")))
        namespace = text_or_none(mapping(found, "metadata").get("namespace"))
        if kind is None or str(owner.get("apiVersion")).partition("/")[0] != kind.api_version.partition("/")[0]:
            break
        answer = cluster.get(kind.api_version, kind.plural, str(owner.get("name")), namespace)
        if answer.code != 200:
            raise refused(answer, f"{kind.name.lower()}/{owner.get('name')}")
        chain.append(_with_kind(answer.body, kind))
    return chain


def _with_kind(found: Object, kind: Kind) -> Object:
    """Items of a list do not say what they are."""
    return {**found, "apiVersion": found.get("apiVersion") or kind.api_version, "kind": kind.name}


def _static_node(found: Object) -> str | None:
    meta = mapping(found, "metadata")
    mirror = _MIRROR in mapping(meta, "annotations") or mapping(controller_of(found)).get("kind") == "Node"
    return str(mapping(found, "spec").get("nodeName")) if mirror else None


def _pods_of(
    cluster: Cluster, workload: Object, namespace: str, unread: list[tuple[str, str]]
) -> tuple[Mapping[str, Any], ...]:
    """The pods that run for a workload: those it owns, or that something it owns does."""
    if workload.get("kind") == "Pod":
        return (workload,)
    answers = {"pods": cluster.list("v1", "pods", namespace)}
    middle = {"Deployment": "ReplicaSet", "CronJob": "Job"}.get(str(workload.get("kind")))
    if middle is not None:
        answers[KINDS[middle].plural] = cluster.list(KINDS[middle].api_version, KINDS[middle].plural, namespace)
    for what, answer in answers.items():
        if answer.code != 200:
            unread.append((what, said(answer)))
            return ()
    owners = {mapping(workload, "metadata").get("uid")}
    if middle is not None:
        made = sequence(answers[KINDS[middle].plural].body, "items")
        owners |= {
            mapping(one, "metadata").get("uid") for one in made if mapping(controller_of(one)).get("uid") in owners
        }
    pods = sequence(answers["pods"].body, "items")
    ours = [_with_kind(pod, KINDS["Pod"]) for pod in pods if mapping(controller_of(pod)).get("uid") in owners]
    return tuple(pod for pod in ours if mapping(pod, "status").get("phase") == "Running" and not _goes(pod))


def _goes(pod: Object) -> bool:
    return mapping(pod, "metadata").get("deletionTimestamp") is not None


def _neighbours(cluster: Cluster, namespace: str, unread: list[tuple[str, str]]) -> tuple[Mapping[str, Any], ...]:
    found: list[Mapping[str, Any]] = []
    for kind, api_version, plural in _NEIGHBOURS:
        answer = cluster.list(api_version, plural, namespace)
        if answer.code == 200:
            found += [{**one, "kind": kind} for one in sequence(answer.body, "items")]
        elif answer.code != 404:  # 404: the server does not have such things
            unread.append((plural, said(answer)))
    return tuple(found)


def _has_resize(cluster: Cluster) -> bool | None:
    answer = cluster.raw("/api/v1")
    if answer.code != 200:
        return None
    return any(mapping(one).get("name") == "pods/resize" for one in sequence(answer.body, "resources"))


def _minor(version: Answer) -> int | None:
    """Of 1.33; providers write `33+`."""
    text = str(version.body.get("minor", "")).rstrip("+")
    return int(text) if version.code == 200 and text.isdecimal() else None


def _nodes(cluster: Cluster, pods: Sequence[Object], unread: list[tuple[str, str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in sorted({str(mapping(pod, "spec").get("nodeName")) for pod in pods} - {"None"}):
        answer = cluster.get("v1", "nodes", name, None)
        if answer.code != 200:
            unread.append((f"node/{name}", said(answer)))
            break
        size = _size(mapping(answer.body, "status", "capacity").get("memory"))
        if size is not None:
            found[name] = size
    return found


def _usage(cluster: Cluster, namespace: str) -> dict[tuple[str, str], int]:
    """Working sets, where a metrics server runs."""
    answer = cluster.raw(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods")
    found: dict[tuple[str, str], int] = {}
    for pod in sequence(answer.body, "items") if answer.code == 200 else ():
        for one in sequence(pod, "containers"):
            size = _size(mapping(one, "usage").get("memory"))
            if size is not None:
                found[str(mapping(pod, "metadata").get("name")), str(mapping(one).get("name"))] = size
    return found


def _size(text: object) -> int | None:
    try:
        return memory_bytes(text_or_none(text))
    except QuantityError:
        return None
