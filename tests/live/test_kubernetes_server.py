"""The same against a real API server: OOMLENS_KUBECONFIG names its kubeconfig (tools/record_kubernetes.py says how one is had).

It needs `deployments.apps` whose containers merge by name, as built in or as a custom resource, and an empty namespace `shop`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine
from oomlens.cli.planning import limit_kubernetes
from oomlens.host.read.cluster import connect, forget_connections
from oomlens.host.read.reader import Reader
from oomlens.model.plan import Plan, Refusal
from support.cluster import CLIENT, deployment
from support.kubernetes_script import comparable
from support.proof import proven

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OOMLENS_KUBECONFIG" not in os.environ, reason="OOMLENS_KUBECONFIG names no server"),
]
PLACE = "/apis/apps/v1/namespaces/shop/deployments"


class Server:
    """Its objects without oomlens, and plans with it."""

    def __init__(self, folder: Path) -> None:
        from lightkube.config.client_adapter import Client, ConnectionParams
        from lightkube.config.kubeconfig import KubeConfig

        self.kubeconfig = os.environ["OOMLENS_KUBECONFIG"]
        config = KubeConfig.from_file(self.kubeconfig).get()
        assert config is not None
        self.http = Client(config, ConnectionParams())
        self.engine = Engine(Machine(folder), Journal(folder / "state"))
        version = connect(self.kubeconfig).raw("/version").body
        self.version = f"{version['major']}.{version['minor']}"

    def made(self, workload: dict[str, Any]) -> Any:
        self.http.delete(f"{PLACE}/web")
        self.http.post(PLACE, params={"fieldManager": CLIENT}, json=workload).raise_for_status()
        return self.standing()

    def standing(self) -> Any:
        return comparable(self.http.get(f"{PLACE}/web").json())

    def asked(self, *arguments: str) -> Plan | Refusal:
        import argparse

        parser = argparse.ArgumentParser()
        limit_kubernetes.add_arguments(parser, str)
        given = ["--live", "--kubeconfig", self.kubeconfig, "-w", "deploy/web", "-n", "shop", *arguments]
        (found,) = limit_kubernetes.propose(parser.parse_args(given), Reader())
        return found

    def applied(self, *arguments: str) -> Any:
        plan = self.asked(*arguments)
        assert isinstance(plan, Plan), plan
        return self.engine.apply(plan, frozenset(step.id for step in plan.steps)).application

    def changed_by_another(self, path: str, value: Any) -> None:
        headers = {"Content-Type": "application/json-patch+json"}
        body = json.dumps([{"op": "replace", "path": path, "value": value}])
        answer = self.http.patch(f"{PLACE}/web", content=body, headers=headers, params={"fieldManager": "another"})
        answer.raise_for_status()

    def memory(self) -> list[Any]:
        containers = self.standing()["spec"]["template"]["spec"]["containers"]
        return [one.get("resources", {}).get("limits", {}).get("memory") for one in containers]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.http.delete(f"{PLACE}/web")
    found.http.close()
    forget_connections()


def row(server: Server, what: str) -> None:
    proven("kubernetes", "limit kubernetes", "api-server", what, kernel=f"Kubernetes {server.version}")


def test_refused_without_the_owners_leave_and_nothing_changes(server: Server) -> None:
    before = server.made(deployment())
    found = server.asked("-c", "app")
    assert isinstance(found, Refusal)
    assert (found.code, found.text.values["managers"]) == ("field-conflict", CLIENT)
    assert server.standing() == before
    row(server, "another manager's field is refused by name; the dry run changes nothing")


@pytest.mark.parametrize("resources", ["some", {}, None])
def test_applied_and_taken_back_with_every_field_manager(server: Server, resources: Any) -> None:
    workload = deployment()
    container = workload["spec"]["template"]["spec"]["containers"][0]
    if resources != "some":
        container.pop("resources")
    if resources == {}:
        container["resources"] = {}
    before = server.made(workload)
    application = server.applied("-c", "app", "--limit", "1Gi", "--take-over", CLIENT)
    assert server.memory() == ["1Gi", "64Mi"]
    assert server.engine.in_place(application) is True
    server.engine.rollback(application)
    assert server.standing() == before
    row(server, "applied, read back, taken back: values and managedFields as before")


def test_two_containers_one_after_the_other(server: Server) -> None:
    before = server.made(deployment())
    first = server.applied("-c", "log", "--take-over", CLIENT)
    between = server.standing()
    second = server.applied("-c", "app", "--take-over", CLIENT)
    assert server.memory() == ["640Mi", "176Mi"]
    server.engine.rollback(second)
    assert server.standing() == between
    server.engine.rollback(first)
    assert server.standing() == before
    row(server, "what was applied before stays; containers keep their order; both taken back")


def test_others_changes_since_stay_or_refuse(server: Server) -> None:
    server.made(deployment())
    application = server.applied("-c", "app", "--take-over", CLIENT)
    server.changed_by_another("/spec/replicas", 9)
    server.engine.rollback(application)
    assert (server.standing()["spec"]["replicas"], server.memory()[0]) == (9, "512Mi")
    again = server.applied("-c", "app", "--take-over", CLIENT)
    server.changed_by_another("/spec/template/spec/containers/0/resources/limits/memory", "2Gi")
    with pytest.raises(RefusedError):
        server.engine.rollback(again)
    assert server.memory()[0] == "2Gi"
    row(server, "rollback keeps others' changes, and refuses where they changed the memory")
