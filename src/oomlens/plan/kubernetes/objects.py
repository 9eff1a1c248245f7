"""Workloads of Kubernetes as they are written: where their pods' containers are, and what memory these have.

Objects are plain JSON values, from a manifest or from a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from oomlens.plan.kubernetes.quantity import QuantityError, memory_bytes

Object = Mapping[str, Any]
Steps = tuple[str | int, ...]


class Kind(NamedTuple):
    """A kind that makes pods. group: of its API, with the version that we speak. pod_spec: where the pod's spec is.

    restarts: what becomes of running pods when the template changes: "rolls" (replaced one after the other), "later" (the next
    pods have it), "never" (the template cannot be changed).
    """

    name: str
    api_version: str
    plural: str
    pod_spec: tuple[str, ...]
    restarts: str


_TEMPLATE = ("spec", "template", "spec")
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("CronJob", "batch/v1", "cronjobs", ("spec", "jobTemplate", "spec", "template", "spec"), "later"),
        Kind("DaemonSet", "apps/v1", "daemonsets", _TEMPLATE, "rolls"),
        Kind("Deployment", "apps/v1", "deployments", _TEMPLATE, "rolls"),
        Kind("Job", "batch/v1", "jobs", _TEMPLATE, "never"),
        Kind("Pod", "v1", "pods", ("spec",), "never"),
        Kind("ReplicaSet", "apps/v1", "replicasets", _TEMPLATE, "later"),
        Kind("ReplicationController", "v1", "replicationcontrollers", _TEMPLATE, "later"),
        Kind("StatefulSet", "apps/v1", "statefulsets", _TEMPLATE, "rolls"),
    )
}
# What people type for a kind, as kubectl has it.
SHORT = {
    "cj": "CronJob",
    "ds": "DaemonSet",
    "deploy": "Deployment",
    "po": "Pod",
    "rc": "ReplicationController",
    "rs": "ReplicaSet",
    "sts": "StatefulSet",
}


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod. role: "container", "init" or "sidecar" (an init container that is restarted always).

    index: in its list. limits, requests: as written; `limit_bytes`, `request_bytes` of memory: None where nothing (readable) is set.
    restart_on_resize: whether its memory can only be resized by restarting it.
    """

    name: str
    role: str
    index: int
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    restart_on_resize: bool = False

    @property
    def limit(self) -> str | None:
        """Of memory, as written."""
        return self.limits.get("memory")

    @property
    def request(self) -> str | None:
        """Of memory, as written."""
        return self.requests.get("memory")

    @property
    def limit_bytes(self) -> int | None:
        return _bytes(self.limit)

    @property
    def request_bytes(self) -> int | None:
        """Where no request is set, a limit is the request too (API defaults)."""
        return _bytes(self.request if self.request is not None else self.limit)

    @property
    def field(self) -> str:
        """The list of the pod's spec that holds it."""
        return "containers" if self.role == "container" else "initContainers"


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods. object: whole, as written. replicas: pods that it makes; None where that depends on the cluster."""

    kind: Kind
    name: str
    namespace: str | None
    object: Object
    containers: tuple[Container, ...]
    replicas: int | None

    @property
    def title(self) -> str:
        """`deployment/web`, as kubectl takes it."""
        return f"{self.kind.name.lower()}/{self.name}"

    @property
    def spec(self) -> Object:
        """The spec of its pods."""
        return mapping(self.object, *self.kind.pod_spec)

    def with_memory(self, container: str, limit: str, request: str | None) -> Workload:
        """The same with another limit and request (None: as it is) of one container."""
        changed = tuple(
            Container(
                one.name,
                one.role,
                one.index,
                {**one.limits, "memory": limit},
                one.requests if request is None else {**one.requests, "memory": request},
                one.restart_on_resize,
            )
            if one.name == container
            else one
            for one in self.containers
        )
        return Workload(self.kind, self.name, self.namespace, self.object, changed, self.replicas)


def kind_named(text: str) -> Kind | None:
    """A kind as people type it: `deploy`, `deployments`, `Deployment`."""
    word = SHORT.get(text.lower(), text).lower()
    return next((kind for kind in KINDS.values() if word in (kind.name.lower(), kind.plural)), None)


def workload_of(found: Any) -> Workload | None:
    """The workload that an object is; None where it makes no pods or lacks its name."""
    kind = KINDS.get(str(mapping(found).get("kind")))
    if kind is None or _group(mapping(found).get("apiVersion")) not in (_group(kind.api_version), "extensions"):
        return None  # another API's kind of that name
    if not mapping(found, *kind.pod_spec):
        return None
    meta = mapping(found, "metadata")
    name = text_or_none(meta.get("name")) or text_or_none(meta.get("generateName"))
    containers = tuple(containers_of(mapping(found, *kind.pod_spec)))
    if name is None or not containers:
        return None
    return Workload(kind, name, text_or_none(meta.get("namespace")), found, containers, _replicas(kind, found))


def objects_in(document: Any, path: Steps = ()) -> Iterator[tuple[Steps, Object]]:
    """The objects of a document with their places: itself, or the items of a list."""
    if not isinstance(document, Mapping):
        return
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            yield from objects_in(item, (*path, "items", number))
    else:
        yield path, document


def containers_of(spec: Object) -> Iterator[Container]:
    """All containers of a pod's spec but ephemeral ones, which have no resources."""
    for field in ("initContainers", "containers"):
        items = spec.get(field)
        for index, one in enumerate(items if isinstance(items, list) else ()):
            name = text_or_none(mapping(one).get("name"))
            if name is None:
                continue
            role = (
                "container" if field == "containers" else "sidecar" if one.get("restartPolicy") == "Always" else "init"
            )
            yield Container(name, role, index, *_resources(mapping(one, "resources")), _restarts_on_resize(one))


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """What stands at a path, where it is a mapping; else an empty one."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any, *path: str) -> list[Any]:
    """What stands at a path, where it is a list; else an empty one."""
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def text_or_none(value: Any) -> str | None:
    """A scalar's text."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" else None


def _group(api_version: Any) -> str:
    return str(api_version).rpartition("/")[0]


def _resources(found: Object) -> tuple[Mapping[str, str], Mapping[str, str]]:
    limits, requests = (
        {key: str(value) for key, value in mapping(found, field).items() if text_or_none(value) is not None}
        for field in ("limits", "requests")
    )
    return limits, requests


def _restarts_on_resize(container: Object) -> bool:
    return any(
        mapping(policy).get("resourceName") == "memory" and policy.get("restartPolicy") == "RestartContainer"
        for policy in sequence(container, "resizePolicy")
    )


def _replicas(kind: Kind, found: Object) -> int | None:
    if kind.name == "Pod":
        return 1
    if kind.name in ("DaemonSet", "CronJob"):
        return None
    field = "parallelism" if kind.name == "Job" else "replicas"
    text = str(mapping(found, "spec").get(field, 1))
    return int(text) if text.isdecimal() else 1


def _bytes(text: str | None) -> int | None:
    try:
        return memory_bytes(text)
    except QuantityError:
        return None
