"""A small cluster for tests: a Deployment with two pods on a node, and what plans and applies against it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oomlens.apply.engine import Engine, Result
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine
from oomlens.cli.planning import limit_kubernetes
from oomlens.host.read.cluster import forget_connections
from oomlens.host.read.reader import Reader
from oomlens.model.plan import Plan, Refusal
from support.kubernetes_server import FakeServer, serving

CLIENT = "kubectl-client-side-apply"
RESOURCES = {"limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi", "cpu": "100m"}}


def deployment(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    """The workload `web` with the containers `app` and `log`."""
    containers = [
        {"name": "app", "image": "nginx", "resources": copy.deepcopy(RESOURCES)},
        {"name": "log", "image": "fluent", "resources": {"limits": {"memory": "64Mi"}}},
    ]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}
    body = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": body}


def owner(kind: str, name: str, api_version: str = "apps/v1") -> list[dict[str, Any]]:
    """ownerReferences to a controller."""
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def pod(name: str, spec: dict[str, Any], references: list[dict[str, Any]], **status: Any) -> dict[str, Any]:
    """A running pod on the node n1."""
    statuses = [
        {"name": one["name"], "containerID": f"containerd://{name}-{one['name']}".ljust(80, "0"), "restartCount": 0}
        for one in spec["containers"]
    ]
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": references},
        "spec": {"nodeName": "n1", **copy.deepcopy(spec)},
        "status": {"phase": "Running", "containerStatuses": statuses, **status},
    }  # fmt: skip


def filled(fake: FakeServer, workload: dict[str, Any] | None = None) -> FakeServer:
    """The server with the deployment, its replica set, two pods and a node."""
    found = workload or deployment()
    fake.add(found)
    middle = owner(found["kind"], "web")
    if found["kind"] == "Deployment":
        made = {
            **deployment("ReplicaSet"),
            "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": middle},
        }
        fake.add(made, "kube-controller-manager")
        middle = owner("ReplicaSet", "web-1")
    for number in (1, 2):
        fake.add(pod(f"web-1-{number}", found["spec"]["template"]["spec"], middle), "kube-controller-manager")
    fake.add(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"capacity": {"memory": "4Gi"}}}
    )
    return fake


class Cluster:
    """Plans and applies as `oomlens` does."""

    def __init__(self, fake: FakeServer, kubeconfig: Path, folder: Path) -> None:
        self.fake, self.kubeconfig, self.folder = fake, kubeconfig, folder
        self.journal = Journal(folder / "state")
        self.engine = Engine(Machine(folder), self.journal)

    def asked(self, *arguments: str) -> Plan | Refusal:
        """What `oomlens plan limit kubernetes --live …` proposes."""
        import argparse

        parser = argparse.ArgumentParser()
        limit_kubernetes.add_arguments(parser, str)
        given = parser.parse_args(
            ["--live", "--kubeconfig", str(self.kubeconfig), *(arguments or ("-w", "deploy/web"))]
        )
        (found,) = limit_kubernetes.propose(given, Reader(run=None))
        return found

    def planned(self, *arguments: str) -> Plan:
        found = self.asked(*arguments)
        assert isinstance(found, Plan), found
        return found

    def refused(self, *arguments: str) -> Refusal:
        found = self.asked(*arguments)
        assert isinstance(found, Refusal), found
        return found

    def applied(self, plan: Plan) -> Result:
        """All of it, disruptive steps too."""
        return self.engine.apply(plan, frozenset(step.id for step in plan.steps))

    def memory(
        self, plural: str = "deployments", name: str = "web", container: int = 0
    ) -> tuple[str | None, str | None]:
        """Limit and request."""
        found = self.fake.get(plural, name, "shop")
        spec = found["spec"] if plural == "pods" else found["spec"]["template"]["spec"]
        resources = spec["containers"][container].get("resources", {})
        return resources.get("limits", {}).get("memory"), resources.get("requests", {}).get("memory")

    def standing(self) -> dict[Any, Any]:
        """All objects, but for versions and times."""
        found = copy.deepcopy(self.fake.objects)
        for one in found.values():
            one["metadata"].pop("resourceVersion")
            entries = one["metadata"]["managedFields"]
            one["metadata"]["managedFields"] = sorted(entries, key=lambda entry: str(entry["manager"]))
            for status in one.get("status", {}).get("containerStatuses", []) if "status" in one else []:
                status.pop("resources", None)
        return found


@contextmanager
def running(folder: Path, workload: dict[str, Any] | None = None) -> Iterator[Cluster]:
    """A cluster while it is open."""
    fake = filled(FakeServer(), workload)
    folder.mkdir(exist_ok=True)
    with serving(fake, folder / "kubeconfig", namespace="shop"):
        yield Cluster(fake, folder / "kubeconfig", folder)
        forget_connections()
