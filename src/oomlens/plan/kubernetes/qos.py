"""The QoS class of a pod and the oom_score_adj that the kubelet gives its containers.

Kubernetes: pkg/apis/core/v1/helper/qos/qos.go, pkg/kubelet/qos/policy.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from oomlens.plan.kubernetes.objects import Container, Workload, mapping
from oomlens.plan.kubernetes.quantity import QuantityError, quantity, same

GUARANTEED_ADJ, BEST_EFFORT_ADJ = -997, 1000
_CRITICAL = "system-node-critical"


class Qos(StrEnum):
    """In the order in which a node under pressure gives pods up: BestEffort first."""

    GUARANTEED = "Guaranteed"
    BURSTABLE = "Burstable"
    BEST_EFFORT = "BestEffort"


def qos_class(workload: Workload) -> Qos:
    """The class that a pod of this workload gets: by the pod's own resources where it has some, else by its containers'."""
    own = mapping(workload.spec, "resources")
    if mapping(own, "limits") or mapping(own, "requests"):
        return _class_of([(mapping(own, "limits"), mapping(own, "requests"))])
    return _class_of([(one.limits, one.requests) for one in workload.containers])


def _class_of(resources: list[tuple[Mapping[str, str], Mapping[str, str]]]) -> Qos:
    guaranteed, anything = True, False
    for limits, requests in resources:
        for name in ("cpu", "memory"):
            limit = limits.get(name) if _is_set(limits.get(name)) else None
            request = requests.get(name) if _is_set(requests.get(name)) else limit  # API defaults
            anything = anything or limit is not None or request is not None
            guaranteed = guaranteed and limit is not None and same(limit, request)
    return Qos.BEST_EFFORT if not anything else Qos.GUARANTEED if guaranteed else Qos.BURSTABLE


def _is_set(text: object) -> bool:
    """A quantity above 0; what cannot be read counts as set."""
    try:
        return text is not None and quantity(str(text)).value > 0
    except QuantityError:
        return True


def oom_score_adj(workload: Workload, container: Container, node_bytes: int | None) -> int | None:
    """What the kubelet writes for a container; None where the node's memory is needed for it and not known.

    node_bytes: the node's memory capacity.
    """
    if workload.spec.get("priorityClassName") == _CRITICAL:
        return GUARANTEED_ADJ
    qos = qos_class(workload)
    if qos is not Qos.BURSTABLE:
        return GUARANTEED_ADJ if qos is Qos.GUARANTEED else BEST_EFFORT_ADJ
    if not node_bytes:
        return None
    share = _pod_share(workload)
    adj = _by_request((container.request_bytes or 0) + share, node_bytes)
    if container.role == "sidecar":
        regular = [one.request_bytes or 0 for one in workload.containers if one.role == "container"]
        adj = min(adj, _by_request(min(regular, default=0) + share, node_bytes))
    if adj < 1000 + GUARANTEED_ADJ:
        return 1000 + GUARANTEED_ADJ
    return min(adj, BEST_EFFORT_ADJ - 1)


def _by_request(request_bytes: int, node_bytes: int) -> int:
    return 1000 - 1000 * request_bytes // node_bytes


def _pod_share(workload: Workload) -> int:
    """What the pod itself requests beyond its containers, shared out evenly (pod-level resources)."""
    own = mapping(workload.spec, "resources", "requests").get("memory")
    if own is None or not workload.containers:
        return 0
    try:
        rest = quantity(str(own)).whole - sum(one.request_bytes or 0 for one in workload.containers)
    except QuantityError:
        return 0
    return max(rest, 0) // len(workload.containers)
