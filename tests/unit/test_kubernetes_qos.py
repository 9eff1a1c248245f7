"""QoS classes and the kubelet's oom_score_adj; the arithmetic is done by hand."""

from __future__ import annotations

from typing import Any

import pytest

from oomlens.plan.kubernetes.objects import Workload, workload_of
from oomlens.plan.kubernetes.qos import Qos, oom_score_adj, qos_class

GIB = 1 << 30


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **spec: Any) -> Workload:
    def made(number: int, one: dict[str, Any]) -> dict[str, Any]:
        return {"name": f"c{number}", **one}

    body = {
        "containers": [made(n, one) for n, one in enumerate(containers)],
        "initContainers": [made(n + 10, one) for n, one in enumerate(init)],
        **spec,
    }
    found = workload_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": body})
    assert found is not None
    return found


def has(limits: dict[str, str] | None = None, requests: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"resources": {"limits": limits or {}, "requests": requests or {}}, **more}


FULL = has({"cpu": "1", "memory": "1Gi"}, {"cpu": "1000m", "memory": "1024Mi"})  # the same, spelled otherwise


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod({}), Qos.BEST_EFFORT),
        (pod(has({"nvidia.com/gpu": "1"})), Qos.BEST_EFFORT),
        (pod(has(requests={"memory": "0"})), Qos.BEST_EFFORT),
        (pod(has({"cpu": "1", "memory": "1Gi"})), Qos.GUARANTEED),  # requests default to the limits
        (pod(FULL), Qos.GUARANTEED),
        (pod(FULL, {}), Qos.BURSTABLE),
        (pod(FULL, init=({},)), Qos.BURSTABLE),  # init containers count
        (pod(has({"memory": "1Gi"})), Qos.BURSTABLE),  # no cpu
        (pod(has({"cpu": "1", "memory": "1Gi"}, {"memory": "512Mi"})), Qos.BURSTABLE),
        (pod({}, resources={"limits": {"cpu": "1", "memory": "1Gi"}}), Qos.GUARANTEED),  # the pod's own resources
        (pod(has({"cpu": "1", "memory": "1Gi"}), resources={"requests": {"memory": "2Gi"}}), Qos.BURSTABLE),
    ],
)
def test_classes(found: Workload, expected: Qos) -> None:
    assert qos_class(found) is expected


@pytest.mark.parametrize(
    ("found", "node_bytes", "expected"),
    [
        (pod({}), None, 1000),
        (pod(FULL), None, -997),
        (pod(has(requests={"memory": "1Gi"})), None, None),
        (pod(has(requests={"memory": "1Gi"})), 4 * GIB, 750),  # 1000 - 1000 * 1 / 4
        (pod(has(requests={"memory": "1Gi"})), 16 * GIB, 938),  # 1000 - floor(62.5)
        (pod(has(requests={"memory": "1Mi"})), 16 * GIB, 999),  # 1000 - 0, kept below BestEffort
        (pod(has(requests={"memory": "4Gi"})), 4 * GIB, 3),  # 0, kept above Guaranteed
        (pod(has({"memory": "2Gi"})), 4 * GIB, 500),  # the limit is the request
        (pod(has(requests={"cpu": "1"})), 4 * GIB, 999),
        (pod(has(requests={"memory": "1Gi"}), priorityClassName="system-node-critical"), 4 * GIB, -997),
        # The pod requests 3 GiB, its container 1: 2 more for it, 1000 - 1000 * 3 / 4.
        (pod(has(requests={"memory": "1Gi"}), resources={"requests": {"memory": "3Gi"}}), 4 * GIB, 250),
    ],
)
def test_scores(found: Workload, node_bytes: int | None, expected: int | None) -> None:
    assert oom_score_adj(found, found.containers[0], node_bytes) == expected


def test_a_sidecar_is_not_killed_before_the_container_it_serves() -> None:
    found = pod(
        has(requests={"memory": "2Gi"}),
        init=(has(requests={"memory": "64Mi"}, restartPolicy="Always"),),
    )
    sidecar = next(one for one in found.containers if one.role == "sidecar")
    assert oom_score_adj(found, sidecar, 4 * GIB) == 500  # as its container; by itself 985
