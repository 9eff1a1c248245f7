"""The server that tests run against answers as a real API server did (recorded with tools/record_kubernetes.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from oomlens.plan.kubernetes.facts import Answer
from oomlens.plan.kubernetes.server_forms import conflicts_in, refused, restored_managers, state_of
from support.cluster import CLIENT
from support.kubernetes_script import SCRIPT, Request, comparable, filled, first_object
from support.kubernetes_server import FakeServer

RECORDED = json.loads((Path(__file__).parent.parent / "data/kubernetes/recorded.json").read_text(encoding="utf-8"))
PARAMETERS = {"pod_spec": ["spec", "template", "spec"], "field": "containers", "container": "app"}


@pytest.fixture(scope="module")
def replayed() -> dict[str, tuple[int, Any]]:
    fake = FakeServer()
    fake.crds_only = True
    fake.add(first_object(), CLIENT)
    managers = fake.get("deployments", "web", "shop")["metadata"]["managedFields"]
    answers = {}
    for request in SCRIPT:
        body = filled(request.body, fake.get("deployments", "web", "shop"), managers)
        data = b"" if body is None else json.dumps(body).encode()
        target = f"/apis/apps/v1/namespaces/shop/deployments/{request.path}?{urlencode(request.query)}"
        code, answer = fake.answer(request.method, target, request.content_type, data)
        answers[request.name] = code, json.loads(json.dumps(answer))
    return answers


@pytest.mark.parametrize("request_", SCRIPT, ids=[request.name for request in SCRIPT])
def test_the_stand_in_answers_as_the_real_server(request_: Request, replayed: dict[str, tuple[int, Any]]) -> None:
    real = next(one for one in RECORDED["answers"] if one["name"] == request_.name)
    code, answer = replayed[request_.name]
    assert code == real["code"]
    if code < 400:
        assert comparable(answer) == comparable(real["answer"])
        return
    said, expected = (
        (
            one["message"],
            one["reason"],
            {(cause["field"], cause["message"]) for cause in (one.get("details") or {}).get("causes", [])},
        )
        for one in (answer, real["answer"])
    )
    assert said == expected


def recorded(name: str) -> Answer:
    found = next(one for one in RECORDED["answers"] if one["name"] == name)
    return Answer(found["code"], found["answer"])


def test_a_recorded_conflict_names_manager_and_field() -> None:
    (found,) = conflicts_in(recorded("a conflict").body)
    assert found == (CLIENT, '.spec.template.spec.containers[name="app"].resources.limits.memory')
    assert len(conflicts_in(recorded("two conflicts").body)) == 2
    assert conflicts_in(recorded("another version").body) == ()  # a 409 of another kind
    assert refused(recorded("no quantity"), "x").code == "server-refused"


def test_a_dry_run_tells_and_changes_nothing() -> None:
    asked = state_of(recorded("forced, but only asked").body, PARAMETERS)
    assert asked["memory"] == {"limits": "640Mi", "requests": "256Mi"}
    assert asked["managers"] == {"limits": ["oomlens"], "requests": [CLIENT]}
    assert comparable(recorded("nothing was changed").body) == comparable(recorded("the object").body)


def test_field_managers_of_a_real_server_are_given_back() -> None:
    first, forced = (recorded(name).body["metadata"]["managedFields"] for name in ("the object", "forced"))
    restored = restored_managers(forced, first, PARAMETERS)
    assert comparable({"managedFields": restored}) == comparable({"managedFields": first})
    # And the real server took such a list as it was written.
    last = recorded("with other field managers").body["metadata"]["managedFields"]
    assert comparable({"managedFields": last}) == comparable({"managedFields": first})
