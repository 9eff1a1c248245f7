"""LimitRange, ResourceQuota and autoscalers beside a manifest; what each says is worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from oomlens.plan.kubernetes.neighbours import pod_limit, pod_request
from oomlens.plan.kubernetes.objects import workload_of
from support.manifests import DEPLOYMENT, planned, refused, tree

MIB = 1 << 20
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def beside(folder: Path, kind: str, spec: dict[str, Any], namespace: str | None = "shop", **more: Any) -> Path:
    meta = {"name": "n", **({"namespace": namespace} if namespace else {})}
    other = {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec, **more}
    return tree(folder, {"k.yaml": DEPLOYMENT + "---\n" + yaml.safe_dump(other)})


def limits(**item: Any) -> dict[str, Any]:
    return {"limits": [{"type": "Container", **item}]}


@pytest.mark.parametrize(
    ("spec", "arguments", "words"),
    [
        (limits(max={"memory": "600Mi"}), (), "at most"),
        (limits(type="Pod", max={"memory": "600Mi"}), (), "at most"),
        (limits(min={"memory": "300Mi"}), (), "at least"),  # 256 MiB is requested
        (limits(maxLimitRequestRatio={"memory": "2"}), (), "times the request"),  # 640 / 256 = 2.5
    ],
)
def test_a_limit_range_refuses_what_it_would_not_let_in(
    spec: dict[str, Any], arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    found = refused(beside(tmp_path, "LimitRange", spec), "k.yaml", *arguments)
    assert found.code == "limit-range"
    assert words in found.text.text


@pytest.mark.parametrize(
    ("spec", "namespace"),
    [
        (limits(max={"memory": "640Mi"}, min={"memory": "256Mi"}, maxLimitRequestRatio={"memory": "2.5"}), "shop"),
        (limits(max={"memory": "1Mi"}), "other"),
        ({"limits": "nonsense"}, None),
        (limits(max={"memory": "2GB"}), None),
        (limits(type="PersistentVolumeClaim", max={"memory": "1Mi"}), None),
    ],
)
def test_a_limit_range_lets_in_what_fits_or_is_not_its_own(
    spec: dict[str, Any], namespace: str, tmp_path: Path
) -> None:
    assert planned(beside(tmp_path, "LimitRange", spec, namespace), "k.yaml").steps


def test_the_default_of_a_limit_range_is_the_limit_that_was_hit(tmp_path: Path) -> None:
    root = beside(tmp_path, "LimitRange", limits(default={"memory": "512Mi"}))
    content = (
        (root / "k.yaml")
        .read_text(encoding="utf-8")
        .replace("              memory: 512Mi   # what it may\n", "              cpu: 1\n")
    )
    (root / "k.yaml").write_text(content, encoding="utf-8")
    assert "640Mi" in str(planned(root, "k.yaml").title.values["change"])


@pytest.mark.parametrize(
    ("hard", "words"),
    [
        ({"limits.memory": "1900Mi"}, "in all"),  # 3 * 640 = 1920
        ({"limits.memory": "2Gi"}, "no room for one more"),  # 1920 + 640
        ({"limits.memory": "2560Mi"}, None),
        ({"requests.memory": "1Mi"}, None),  # the request stays
        ({"limits.cpu": "1"}, None),
    ],
)
def test_a_quota_in_a_file_warns(hard: dict[str, str], words: str | None, tmp_path: Path) -> None:
    plan = planned(beside(tmp_path, "ResourceQuota", {"hard": hard}), "k.yaml")
    told = [warning.text for warning in plan.warnings if "ResourceQuota" in warning.text]
    assert len(told) == (words is not None)
    assert words is None or words in told[0]


@pytest.mark.parametrize(
    ("metric", "warned"),
    [
        ({"type": "Resource", "resource": {"name": "memory", "target": {"averageUtilization": 70}}}, True),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "memory", "container": "app", "target": {"averageUtilization": 70}},
            },
            True,
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "memory", "container": "log", "target": {"averageUtilization": 70}},
            },
            False,
        ),
        ({"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "1Gi"}}}, False),
        ({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}, False),
        ("nonsense", False),
    ],
)
def test_an_autoscaler_by_share_of_the_request_warns_where_the_request_changes(
    metric: Any, warned: bool, tmp_path: Path
) -> None:
    root = beside(tmp_path, "HorizontalPodAutoscaler", {"scaleTargetRef": WEB, "metrics": [metric]})
    plan = planned(root, "k.yaml", "--limit", "1Gi", "--request", "512Mi")
    assert any("HorizontalPodAutoscaler" in warning.text for warning in plan.warnings) is warned
    assert not any("HorizontalPodAutoscaler" in warning.text for warning in planned(root, "k.yaml").warnings)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "proportion"),
        ({"updatePolicy": {"updateMode": "Off"}}, None),
        ({"resourcePolicy": {"containerPolicies": [{"containerName": "*", "mode": "Off"}]}}, None),
        ({"resourcePolicy": {"containerPolicies": [{"containerName": "*", "controlledResources": ["cpu"]}]}}, None),
        (
            {"resourcePolicy": {"containerPolicies": [{"containerName": "app", "controlledValues": "RequestsOnly"}]}},
            "the limit stays",
        ),
    ],
)
def test_a_vertical_autoscaler_has_the_last_word(spec: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    plan = planned(beside(tmp_path, "VerticalPodAutoscaler", {"targetRef": WEB, **spec}), "k.yaml")
    told = [warning.text for warning in plan.warnings if "VerticalPodAutoscaler" in warning.text]
    assert len(told) == (words is not None)
    assert words is None or words in told[0]


def test_a_pod_is_what_runs_at_once() -> None:
    def one(name: str, size: int, **more: Any) -> dict[str, Any]:
        return {"name": name, "resources": {"limits": {"memory": f"{size}Mi"}}, **more}

    spec = {
        # In their order: 100; the sidecar stays; 300 beside it.
        "initContainers": [one("a", 100), one("s", 50, restartPolicy="Always"), one("b", 300)],
        "containers": [one("c", 200), one("d", 80)],
    }
    found = workload_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    assert found is not None
    assert pod_limit(found) == pod_request(found) == 350 * MIB  # max(100, 50 + 300, 50 + 200 + 80)
