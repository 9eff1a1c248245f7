"""Values of Helm charts: where memory is said, and which template uses it. What a template makes of a value only Helm knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.model.yaml_text import Form, Node
from oomlens.plan.kubernetes.facts import File
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container, Steps, mapping, text_or_none
from oomlens.plan.kubernetes.sizing import Sized
from oomlens.plan.yaml_find import data_of, find, real
from oomlens.plan.yaml_spell import Bare, Wanted

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ValuePlace:
    """A place in a values file. path: of a mapping `resources`, or of a single value. users: "template:line" where it is used.

    single: whether it is one value (the limit), not a mapping of requests and limits.
    """

    file: File
    path: Steps
    users: tuple[str, ...]
    single: bool = False

    @property
    def key(self) -> str:
        """As --key takes it."""
        return ".".join(map(str, self.path))

    @property
    def container(self) -> Container:
        """What it says, as if it were a container's."""
        found = data_of(find(self.file.text.documents[0], self.path))
        if self.single:
            text = text_or_none(found)
            return Container(self.key, "container", 0, {} if text is None else {"memory": text}, {})
        limits, requests = (
            {key: str(value) for key, value in mapping(found, field).items() if text_or_none(value) is not None}
            for field in ("limits", "requests")
        )
        return Container(self.key, "container", 0, limits, requests)

    def wanted(self, sized: Sized) -> tuple[Steps, Wanted]:
        """The change: a place that is there, and what is wanted of it."""
        parent, last = self.path[:-1], self.path[-1]
        if self.single:
            return parent, {str(last): Bare(sized.limit or "")}
        wanted: dict[str, Wanted] = {}
        if sized.request is not None:
            wanted["requests"] = {"memory": Bare(sized.request)}
        if sized.limit is not None:
            wanted["limits"] = {"memory": Bare(sized.limit)}
        return self.path, wanted


def value_places(values: File, templates: Sequence[File]) -> list[ValuePlace]:
    """All mappings called `resources`, and others with a memory limit, in a values file."""
    if not values.text.documents:
        return []
    return [ValuePlace(values, path, _users(path, templates)) for path in _walk(values.text.documents[0], ())]


def _walk(node: Node, path: Steps) -> Iterator[Steps]:
    if node.form is Form.SEQUENCE:
        for number, item in enumerate(node.items):
            yield from _walk(item, (*path, number))
    for key, value in node.pairs:
        if key.form is Form.SCALAR and _says_memory(key.text, value):
            yield (*path, key.text)
        elif key.form is Form.SCALAR:
            yield from _walk(value, (*path, key.text))


def _says_memory(name: str, value: Node) -> bool:
    """A mapping (or nothing yet) called `resources`, or any that has limits of memory."""
    if value.form is Form.SCALAR:
        return name == "resources" and data_of(value) is None
    return name == "resources" or find(value, ("limits", "memory")) is not None


def _users(path: Steps, templates: Sequence[File]) -> tuple[str, ...]:
    name = re.compile(re.escape(".Values." + ".".join(map(str, path))) + r"(?![\w.-])")
    found = []
    for file in templates:
        lines = file.fact.content.decode("utf-8", "replace").splitlines()
        found += [f"{file.path}:{number}" for number, line in enumerate(lines, 1) if name.search(line)]
    return tuple(found)


def chosen_value(places: Sequence[ValuePlace], values: File, key: str | None, templates: Sequence[File]) -> ValuePlace:
    """The place that the key means, or the only one that a template uses. Raises NoPlanError that lists what there is."""
    if key is not None:
        return _by_key(places, values, key, templates)
    used = [place for place in places if place.users] or list(places)
    if len(used) == 1 and len({user.rpartition(":")[0] for user in used[0].users}) <= 1:
        return used[0]
    rows = [f"{place.key} ({place.container.limit or '-'}{_user(place)})" for place in places]
    shown = {"path": values.path, "found": "; ".join(rows[:_SHOWN]) or "-"}
    if not places:
        raise NoPlanError(
            "no-value",
            Text(message("{path} says nothing of memory that could be found"), shown),
            Text(message("say where: --key web.resources")),
        )
    raise NoPlanError(
        "ambiguous",
        Text(message("{path} says memory in several places, and only the chart knows what each feeds: {found}"), shown),
        Text(message("say which: --key web.resources")),
    )


def _by_key(places: Sequence[ValuePlace], values: File, key: str, templates: Sequence[File]) -> ValuePlace:
    root = values.text.documents[0] if values.text.documents else None
    path = tuple(_step(step) for step in key.strip(".").split(".") if step)
    for suffix in (("limits", "memory"), ("requests", "memory"), ("limits",), ("requests",)):
        if path[-len(suffix) :] == suffix:
            path = path[: -len(suffix)]
            break
    for candidate in ((*path, "resources"), path):
        found = next((place for place in places if place.path == candidate), None)
        if found is not None:
            return found
    node = real(find(root, path))
    if node is None or not path:
        rows = "; ".join(place.key for place in places[:_SHOWN]) or "-"
        raise NoPlanError(
            "no-value",
            Text(
                message("{path} has no key {key}; memory is said at: {found}"),
                {"path": values.path, "key": key, "found": rows},
            ),
            Text(message("say which: --key web.resources")),
        )
    return ValuePlace(values, path, _users(path, templates), single=node.form is Form.SCALAR)


def _step(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _user(place: ValuePlace) -> str:
    return f", {place.users[0].rpartition('/')[2]}" if place.users else ""
