"""What is sent to a server, and what its answers say: apply configurations, JSON patches, conflicts, field managers.

Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/. An apply says all that its manager owns: what it
leaves out, it gives up. So what oomlens has applied to the object before is said again.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Json, Text, Value
from oomlens.plan.kubernetes.facts import Answer
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Object, mapping, sequence
from oomlens.plan.kubernetes.owners import managers_of, memory_path

MANAGER = "oomlens"
WORDS = ("limits", "requests")
_CONFLICT = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')


class Conflict(NamedTuple):
    """A field that another manager says otherwise."""

    manager: str
    field: str


def conflicts_in(status: Object) -> tuple[Conflict, ...]:
    """The conflicts of a 409; none where it is another kind of conflict (a stale version)."""
    found = []
    for cause in sequence(status, "details", "causes"):
        named = _CONFLICT.search(str(mapping(cause).get("message")))
        if mapping(cause).get("reason") == "FieldManagerConflict":
            found.append(Conflict(named[1] if named else "?", str(mapping(cause).get("field"))))
    return tuple(found)


def said(answer: Answer) -> str:
    """The server's own words, or its code."""
    return str(answer.body.get("message") or f"HTTP {answer.code}")


def refused(answer: Answer, target: str) -> NoPlanError:
    """What a server that does not do what it was asked said."""
    values: dict[str, Value] = {"target": target, "code": answer.code, "why": said(answer)}
    if answer.code in (401, 403):
        text = message("the server does not let this account see or change {target}: {why}")
        return NoPlanError("forbidden", Text(text, values))
    return NoPlanError("server-refused", Text(message("{target}: the server answered {code}: {why}"), values))


def container_in(found: Object, parameters: Mapping[str, Json]) -> tuple[int, Object]:
    """The container that a step is about, with its place in the list; -1 and nothing where there is none."""
    items = sequence(mapping(found, *parameters["pod_spec"]), str(parameters["field"]))
    for index, one in enumerate(items):
        if mapping(one).get("name") == parameters["container"]:
            return index, mapping(one)
    return -1, {}


def state_of(found: Object | None, parameters: Mapping[str, Json]) -> Json:
    """The state at a step's target: memory now, and who owns it; `present` false where the object or the container is gone."""
    if found is None:
        return {"present": False}
    meta = mapping(found, "metadata")
    index, container = container_in(found, parameters)
    if index < 0:
        return {"present": False}
    memory = {word: mapping(container, "resources", word).get("memory") for word in WORDS}
    managers = {word: list(managers_of(found, _path(parameters, word))) for word in WORDS}
    return {
        "present": True,
        "uid": meta.get("uid"),
        "resource_version": meta.get("resourceVersion"),
        "bare": "resources" not in container,
        "memory": {word: None if value is None else str(value) for word, value in memory.items()},
        "managers": managers,
        "managed_fields": list(sequence(meta, "managedFields")),
    }


def _path(parameters: Mapping[str, Json], word: str) -> tuple[str, ...]:
    return memory_path(parameters["pod_spec"], str(parameters["field"]), str(parameters["container"]), word)


def apply_body(found: Object, parameters: Mapping[str, Json]) -> dict[str, Any]:
    """The apply configuration: identity, what oomlens owns of it already, and the memory that is wanted."""
    meta = mapping(found, "metadata")
    body: dict[str, Any] = {
        **owned_by(found, MANAGER),
        "apiVersion": parameters["api_version"],
        "kind": parameters["kind"],
    }
    body["metadata"] = {"name": parameters["name"], "namespace": parameters["namespace"], "uid": meta.get("uid")}
    here = body
    for step in parameters["pod_spec"]:
        here = here.setdefault(step, {})
    items = here.setdefault(str(parameters["field"]), [])
    container = next((one for one in items if one.get("name") == parameters["container"]), None)
    if container is None:
        container = {"name": parameters["container"]}
        items.append(container)
        # The server puts the items of an apply in its order: it must be theirs.
        names = [
            mapping(one).get("name")
            for one in sequence(mapping(found, *parameters["pod_spec"]), str(parameters["field"]))
        ]
        items.sort(key=lambda one: names.index(one["name"]) if one["name"] in names else len(names))
    resources = container.setdefault("resources", {})
    for word in WORDS:
        if parameters["memory"].get(word) is not None:
            resources.setdefault(word, {})["memory"] = parameters["memory"][word]
    return body


def owned_by(found: Object, manager: str) -> dict[str, Any]:
    """The part of an object that a manager has applied (fieldsV1: `f:` fields, `k:` items of lists by their keys)."""
    owned: dict[str, Any] = {}
    for entry in sequence(found, "metadata", "managedFields"):
        about = mapping(entry)
        if about.get("manager") == manager and about.get("operation") == "Apply" and not about.get("subresource"):
            part = _part(mapping(about, "fieldsV1"), found)
            if isinstance(part, dict):
                owned.update(part)
    owned.pop("metadata", None)
    return copy.deepcopy(owned)


def _part(fields: Mapping[str, Any], value: Any) -> Any:
    """The value's part that the fields name."""
    names = [name for name in fields if name != "."]
    if not names:
        return value
    if any(name.startswith("k:") for name in names):
        return [
            part for name in names if name.startswith("k:") for part in _item(name[2:], mapping(fields, name), value)
        ]
    return {name[2:]: _part(mapping(fields, name), value[name[2:]]) for name in names if name[2:] in mapping(value)}


def _item(key: str, fields: Mapping[str, Any], value: Any) -> Iterator[Any]:
    keys = json.loads(key)
    for item in value if isinstance(value, list) else ():
        if all(mapping(item).get(name) == wanted for name, wanted in keys.items()):
            part = _part(fields, item)
            yield {**keys, **(part if isinstance(part, dict) else {})}


def value_patch(
    found: Object, parameters: Mapping[str, Json], wanted: Mapping[str, Any], *, bare: bool = False
) -> list[Any]:
    """A JSON patch that makes the memory what is wanted, if the container's resources are still those that were found.

    wanted: by "limits" and "requests"; None: none is to be set. bare: whether resources that are empty then are to go as well.
    """
    index, container = container_in(found, parameters)
    place = "/" + "/".join((*parameters["pod_spec"], str(parameters["field"]), str(index)))
    patch: list[Any] = [
        {"op": "test", "path": "/metadata/uid", "value": mapping(found, "metadata").get("uid")},
        {"op": "test", "path": f"{place}/name", "value": parameters["container"]},
    ]
    now = container.get("resources")
    if now is not None:
        patch.append({"op": "test", "path": f"{place}/resources", "value": now})
    then = copy.deepcopy(dict(now)) if isinstance(now, Mapping) else {}
    for word in WORDS:
        amounts = dict(mapping(then, word))
        amounts.pop("memory", None)
        if wanted.get(word) is not None:
            amounts["memory"] = wanted[word]
        then.pop(word, None)
        if amounts:
            then[word] = amounts
    if then or not bare:
        return [*patch, {"op": "add", "path": f"{place}/resources", "value": then}]
    return [*patch, {"op": "remove", "path": f"{place}/resources"}]


def restored_managers(
    now: Sequence[Any], before: Sequence[Any], parameters: Mapping[str, Json], subresource: str | None = None
) -> list[Any]:
    """The field managers with the container's resources given back to those who owned them before; all else as it is now.

    Ours are put back as they were; what others have taken meanwhile stays theirs.
    """
    inside = tuple(_key(step) for step in _path(parameters, "limits")[:-2])
    ours = [one for one in before if _is_ours(one, subresource)]
    kept = [copy.deepcopy(one) for one in now if not _is_ours(one, subresource)]
    taken = {leaf for one in kept for leaf in _leaves(mapping(one, "fieldsV1"), inside)}
    for old in before:
        lost = [leaf for leaf in _leaves(mapping(old, "fieldsV1"), inside) if leaf not in taken]
        if _is_ours(old, subresource) or not lost:
            continue
        entry = next((one for one in kept if _same_entry(one, old)), None)
        if entry is None:
            entry = {**old, "fieldsV1": {}}
            kept.append(entry)
        for leaf in lost:
            _put(entry["fieldsV1"], leaf)
    return [*kept, *copy.deepcopy(ours)]


def _is_ours(entry: Any, subresource: str | None) -> bool:
    return mapping(entry).get("manager") == MANAGER and (mapping(entry).get("subresource") or None) == subresource


def _same_entry(one: Any, other: Any) -> bool:
    keys = ("manager", "operation", "apiVersion", "subresource")
    return all(mapping(one).get(key) == mapping(other).get(key) for key in keys)


def _key(step: str) -> str:
    return f'k:{{"name":{json.dumps(step[5:])}}}' if step.startswith("name=") else f"f:{step}"


def _leaves(fields: Mapping[str, Any], inside: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The fields that are owned at a place or below it."""
    for step in inside:
        if step not in fields:
            return
        fields = mapping(fields, step)
    todo: list[tuple[Mapping[str, Any], tuple[str, ...]]] = [(fields, inside)]
    while todo:
        here, path = todo.pop()
        if not here:
            yield path
        todo += [(mapping(here, step), (*path, step)) for step in here]


def _put(fields: dict[str, Any], leaf: Sequence[str]) -> None:
    for step in leaf:
        fields = fields.setdefault(step, {})
