"""Field ownership as an API server keeps it (structured-merge-diff): who owns which leaf, conflicts, merging by `name`.

A field is a path of `f:key` and `k:{"name":"x"}` steps; lists that do not merge are atomic. An apply owns its leaves and list items;
an update owns the maps that it made, too.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

Leaf = tuple[str, ...]
# Lists that merge by their items' name (x-kubernetes-list-map-keys of the pod's schema).
KEYED = {"containers", "initContainers"}
_IDENTITY = {"apiVersion", "kind", "status"}
_META = {"name", "namespace", "uid", "resourceVersion", "managedFields", "generation", "creationTimestamp"}


def leaves_of(value: Any, path: Leaf = (), name: str = "", *, maps: bool = False) -> dict[Leaf, Any]:
    """All fields below a value with their values; with maps, those in between too."""
    if isinstance(value, dict) and value:
        found: dict[Leaf, Any] = {path: True} if maps and path else {}
        for key, one in value.items():
            found.update(leaves_of(one, (*path, f"f:{key}"), key, maps=maps))
        return found
    if isinstance(value, list) and name in KEYED:
        found = {path: True} if maps else {}
        for item in value:
            here = (*path, "k:" + json.dumps({"name": item["name"]}, separators=(",", ":")))
            found[here] = True
            for key, one in item.items():
                found.update(leaves_of(one, (*here, f"f:{key}"), key, maps=maps))
        return found
    return {path: value}


def owned_part(found: Mapping[str, Any]) -> dict[str, Any]:
    """What of an object is owned by anyone: not its identity, status and the server's own metadata."""
    part = {key: value for key, value in found.items() if key not in _IDENTITY}
    part["metadata"] = {key: value for key, value in part.get("metadata", {}).items() if key not in _META}
    return {key: value for key, value in part.items() if value not in ({}, None)}


def to_fields(leaves: set[Leaf]) -> dict[str, Any]:
    """fieldsV1 of a set of fields."""
    fields: dict[str, Any] = {}
    for leaf in sorted(leaves, key=len, reverse=True):
        here = fields
        for step in leaf:
            here = here.setdefault(step, {})
        if here:
            here["."] = {}
    return fields


def from_fields(fields: Mapping[str, Any], path: Leaf = ()) -> Iterator[Leaf]:
    """The fields that fieldsV1 names."""
    if path and (not fields or "." in fields):
        yield path
    for step, below in fields.items():
        if step != ".":
            yield from from_fields(below, (*path, step))


class Managers:
    """managedFields of one object."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = copy.deepcopy(entries)

    def leaves(self, entry: Mapping[str, Any]) -> set[Leaf]:
        return set(from_fields(entry.get("fieldsV1", {})))

    def entry(self, manager: str, operation: str, api_version: str, subresource: str | None) -> dict[str, Any]:
        """The one of a manager, made where there is none."""
        for one in self.entries:
            if (one["manager"], one["operation"], one.get("subresource")) == (manager, operation, subresource):
                return dict(one)
        made = {
            "manager": manager,
            "operation": operation,
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }
        return {**made, **({"subresource": subresource} if subresource else {})}

    def put(self, entry: dict[str, Any], leaves: set[Leaf]) -> None:
        """Writes an entry; one that owns nothing goes."""
        key = (entry["manager"], entry["operation"], entry.get("subresource"))
        self.entries = [
            one for one in self.entries if (one["manager"], one["operation"], one.get("subresource")) != key
        ]
        if leaves:
            self.entries.append({**entry, "time": "2026-11-26T00:00:00Z", "fieldsV1": to_fields(leaves)})

    def take_from_others(self, taken: set[Leaf], entry: Mapping[str, Any]) -> None:
        """Leaves that a change took away from everybody else."""
        key = (entry["manager"], entry["operation"], entry.get("subresource"))
        for one in list(self.entries):
            if (one["manager"], one["operation"], one.get("subresource")) != key:
                self.put(one, self.leaves(one) - taken)


def updated(
    old: Mapping[str, Any], new: Mapping[str, Any], manager: str, api_version: str, subresource: str | None
) -> list[Any]:
    """managedFields after an update: what changed is the manager's; managedFields that the client wrote are taken as they are."""
    managers = Managers(new.get("metadata", {}).get("managedFields") or [])
    before, after = (leaves_of(owned_part(one), maps=True) for one in (old, new))
    gone = before.keys() - after.keys()
    changed = {leaf for leaf, value in after.items() if leaf not in before or before[leaf] != value}
    if not gone and not changed:
        return managers.entries
    entry = managers.entry(manager, "Update", api_version, subresource)
    managers.take_from_others(gone | changed, entry)
    managers.put(entry, (managers.leaves(entry) - gone) | changed)
    return managers.entries


class ApplyConflictError(Exception):
    """Fields that others say otherwise: (manager, field as the server writes it, entry)."""

    def __init__(self, conflicts: list[tuple[dict[str, Any], str]]) -> None:
        super().__init__(str(conflicts))
        self.conflicts = conflicts


def applied(live: Mapping[str, Any], wish: Mapping[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
    """The object after a server-side apply. Raises ApplyConflictError."""
    managers = Managers(live["metadata"].get("managedFields") or [])
    wanted, now = leaves_of(owned_part(wish)), leaves_of(owned_part(live))
    entry = managers.entry(manager, "Apply", wish["apiVersion"], None)
    differing = {leaf for leaf, value in wanted.items() if leaf in now and now[leaf] != value}
    conflicts = [
        (one, shown(leaf))
        for one in managers.entries
        if one["manager"] != manager or one["operation"] != "Apply"
        for leaf in sorted(differing & managers.leaves(one))
    ]
    if conflicts and not force:
        raise ApplyConflictError(conflicts)
    others = {leaf for one in managers.entries if one["manager"] != manager for leaf in managers.leaves(one)}
    given_up = managers.leaves(entry) - wanted.keys() - others
    managers.take_from_others(differing, entry)
    managers.put(entry, set(wanted))
    found: dict[str, Any] = merged(live, wish)
    for leaf in given_up:
        remove(found, leaf)
    found["metadata"]["managedFields"] = managers.entries
    return found


def shown(leaf: Leaf) -> str:
    """`.spec.template.spec.containers[name="app"].image`, as conflicts name fields."""
    text = ""
    for step in leaf:
        if step.startswith("k:"):
            text += "[" + ",".join(f'{key}="{value}"' for key, value in json.loads(step[2:]).items()) + "]"
        else:
            text += f".{step[2:]}"
    return text


def merged(live: Any, wish: Any, name: str = "") -> Any:
    """Maps key by key, keyed lists item by item, all else replaced; null removes (strategic merge)."""
    found: Any
    if isinstance(live, dict) and isinstance(wish, dict):
        found = copy.deepcopy(live)
        for key, value in wish.items():
            if value is None:
                found.pop(key, None)
            elif key not in ("uid", "resourceVersion", "managedFields"):
                found[key] = merged(found.get(key), value, key)
        return found
    if isinstance(wish, list) and name in KEYED:
        found = copy.deepcopy(live or [])
        for item in wish:
            at = next((number for number, one in enumerate(found) if one["name"] == item["name"]), None)
            if at is None:
                found.append(copy.deepcopy(item))
            else:
                found[at] = merged(found[at], item)
        order = _order([one["name"] for one in live or []], [one["name"] for one in wish])
        return sorted(found, key=lambda one: order.index(one["name"]))
    if isinstance(wish, dict):
        return {key: merged(None, value, key) for key, value in wish.items() if value is not None}
    return copy.deepcopy(wish)


def _order(now: list[str], wanted: list[str]) -> list[str]:
    """Shared items in the order that is wanted, the others where they were among them."""
    shared = [name for name in wanted if name in now]
    made: list[str] = []
    for name in now:
        if name not in wanted:
            made.append(name)
        elif name not in made:
            until = wanted.index(shared.pop(0)) if shared else len(wanted)
            made += [one for one in wanted[: until + 1] if one not in made]
    return [*made, *(name for name in wanted if name not in made)]


def remove(found: Any, leaf: Leaf) -> None:
    """Takes a leaf away, and what is empty without it."""
    if not leaf or leaf[-1].startswith("k:"):
        return
    trail = [found]
    for step in leaf[:-1]:
        here = trail[-1]
        if step.startswith("k:"):
            keys = json.loads(step[2:])
            here = next((one for one in here if all(one.get(k) == v for k, v in keys.items())), None)
        else:
            here = here.get(step[2:])
        if here is None:
            return
        trail.append(here)
    trail[-1].pop(leaf[-1][2:], None)
    for parent, step in reversed(list(zip(trail[:-1], leaf[:-1], strict=True))):
        if step.startswith("f:") and parent.get(step[2:]) == {}:
            parent.pop(step[2:])
