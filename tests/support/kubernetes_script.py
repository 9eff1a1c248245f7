"""Requests whose answers by a real API server are recorded, and replayed against the one of the tests.

`UID` and `VERSION` in a body or query become those of the object at that moment.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from support.cluster import deployment
from support.kubernetes_fields import from_fields

APPLY, JSON_PATCH = "application/apply-patch+yaml", "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PLACE = "/spec/template/spec/containers/0/resources"


class Request(NamedTuple):
    """name: what it shows. path: below the namespace's deployments."""

    name: str
    path: str
    content_type: str = ""
    query: Mapping[str, str] = MappingProxyType({})
    body: Any = None

    @property
    def method(self) -> str:
        return "PATCH" if self.content_type else "GET"


def memory(limit: str | None = "640Mi", request: str | None = None, **meta: Any) -> dict[str, Any]:
    """An apply configuration."""
    amounts = {"limits": limit, "requests": request}
    resources = {word: {"memory": text} for word, text in amounts.items() if text is not None}
    containers = [{"name": "app", **({"resources": resources} if resources else {})}]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", **meta},
        "spec": {"template": {"spec": {"containers": containers}}},
    }  # fmt: skip


def turned() -> dict[str, Any]:
    """Both containers, the last first."""
    body = memory()
    body["spec"]["template"]["spec"]["containers"].insert(
        0, {"name": "log", "resources": {"limits": {"memory": "80Mi"}}}
    )
    return body


def applied(name: str, body: Any, path: str = "web", **query: str) -> Request:
    return Request(name, path, APPLY, {"fieldManager": "oomlens", **query}, body)


def patched(name: str, *operations: dict[str, Any]) -> Request:
    return Request(name, "web", JSON_PATCH, {"fieldManager": "oomlens"}, list(operations))


SCRIPT = (
    Request("the object", "web"),
    Request("no such object", "none"),
    applied("a conflict", memory()),
    applied("two conflicts", memory("640Mi", "512Mi")),
    applied("the same value is no conflict", memory("512Mi"), dryRun="All"),
    applied("forced, but only asked", memory(), dryRun="All", force="true"),
    Request("nothing was changed", "web"),
    applied("items come in the order of the apply", turned(), dryRun="All", force="true"),
    applied("forced", memory(uid="UID", resourceVersion="VERSION"), force="true"),
    Request("merged by the container's name", "web"),
    applied("again", memory()),
    applied("another request besides", memory("640Mi", "300Mi"), force="true"),
    applied("what is left out and owned by nobody else is gone", memory("640Mi", None)),
    Request("without the request", "web"),
    applied("another uid", memory(uid="00000000-0000-0000-0000-000000000000")),
    applied("another version", memory("700Mi", resourceVersion="1")),
    applied("a uid where nothing is", {**memory(), "metadata": {"name": "none", "namespace": "shop", "uid": "00000000-0000-0000-0000-000000000000"}}, path="none"),
    applied("no quantity", memory("2GB")),
    patched("a test that fails", {"op": "test", "path": f"{PLACE}/limits/memory", "value": "1Gi"}),
    patched("no such place", {"op": "remove", "path": f"{PLACE}/claims/memory"}),
    patched(
        "put back",
        {"op": "test", "path": "/metadata/uid", "value": "UID"},
        {"op": "test", "path": f"{PLACE}/limits/memory", "value": "640Mi"},
        {"op": "add", "path": f"{PLACE}/limits/memory", "value": "512Mi"},
    ),
    patched(
        "field managers written",
        {"op": "test", "path": "/metadata/resourceVersion", "value": "VERSION"},
        {"op": "replace", "path": "/metadata/managedFields", "value": "MANAGERS"},
    ),
    Request("with other field managers", "web"),
    Request("no strategic merge for custom resources", "web", STRATEGIC, {"fieldManager": "oomlens"}, {"spec": {"replicas": 3}}),
)  # fmt: skip


def filled(body: Any, found: dict[str, Any], managers: list[Any]) -> Any:
    """The body with the object's uid and version, and the field managers that it had at first."""
    if body == "UID":
        return found["metadata"]["uid"]
    if body == "VERSION":
        return found["metadata"]["resourceVersion"]
    if body == "MANAGERS":
        return copy.deepcopy(managers)
    if isinstance(body, dict):
        return {key: filled(value, found, managers) for key, value in body.items()}
    return [filled(value, found, managers) for value in body] if isinstance(body, list) else body


def comparable(answer: Any) -> Any:
    """An answer without what differs from run to run: uids, versions, times; field managers as sets of fields."""
    if isinstance(answer, list):
        return [comparable(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    found = {}
    for key, value in answer.items():
        if key in ("uid", "resourceVersion", "creationTimestamp", "generation", "time"):
            continue
        if key == "fieldsV1":
            found[key] = sorted("/".join(leaf) for leaf in from_fields(value))
        elif key == "managedFields":
            found[key] = sorted((comparable(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
        else:
            found[key] = comparable(value)
    return found


def first_object() -> dict[str, Any]:
    """What the recording begins with."""
    return deployment()
