"""Variables of containers in YAML: `env` of a Kubernetes manifest, `environment` of a Compose file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from oomlens.kernel.sizes import bytes_of
from oomlens.model.yaml_text import Form, Node, YamlText
from oomlens.plan.kubernetes.quantity import QuantityError, quantity
from oomlens.plan.start.words import options_in
from oomlens.plan.yaml_edit import YamlEditError, append, spliced, splices_of
from oomlens.plan.yaml_find import find, items_of, keys_of, scalar, value_of

Change = Callable[[str | None], str]
Path = tuple[str | int, ...]
_DEPTH = 12
_LIMITS: dict[bool, tuple[Path, ...]] = {
    False: (("resources", "limits", "memory"),),
    True: (("deploy", "resources", "limits", "memory"), ("mem_limit",)),
}
_ARGUMENTS = ("command", "args", "entrypoint")


class Place(NamedTuple):
    """Where a container is described. compose: whether it is a service of a Compose file."""

    document: int
    path: Path
    name: str
    compose: bool

    @property
    def key(self) -> str:
        """What holds its variables."""
        return "environment" if self.compose else "env"


def places(text: YamlText) -> Iterator[Place]:
    """Every container of the manifests and every service of the Compose file, in order."""
    for number, root in enumerate(text.documents):
        if value_of(root, "services") is not None and value_of(root, "kind") is None:
            for name in keys_of(value_of(root, "services")):
                yield Place(number, ("services", name), name, compose=True)
        else:
            for path, node in _containers(root, (), _DEPTH):
                yield Place(number, path, scalar(node, "name") or "", compose=False)


def _containers(node: Node, path: Path, depth: int) -> Iterator[tuple[Path, Node]]:
    if depth == 0 or node.form is not Form.MAPPING:
        return
    for key in keys_of(node):
        value = value_of(node, key)
        if value is None:
            continue
        if key == "containers" and value.form is Form.SEQUENCE:
            for number, item in enumerate(items_of(value)):
                if item.form is Form.MAPPING:
                    yield (*path, key, number), item
        elif key in ("spec", "template", "jobTemplate", "items"):
            if value.form is Form.SEQUENCE:
                for number, item in enumerate(items_of(value)):
                    yield from _containers(item, (*path, key, number), depth - 1)
            else:
                yield from _containers(value, (*path, key), depth - 1)


def variable(text: YamlText, place: Place, name: str) -> str | None:
    """The value that a container gets there; None where it is not set, or not as plain text."""
    node = find(text.documents[place.document], (*place.path, place.key))
    if node is None:
        return None
    if node.form is Form.MAPPING:
        return scalar(node, name)
    for item in items_of(node):
        if place.compose and item.text.startswith(f"{name}="):
            return item.text[len(name) + 1 :]
        if not place.compose and scalar(item, "name") == name:
            return scalar(item, "value")
    return None


def arguments(text: YamlText, place: Place) -> tuple[str, ...]:
    """The options on the container's command line, as far as the file has one."""
    return tuple(option for node in _argument_nodes(text, place) for option in options_in(node.text))


def limit_of(text: YamlText, place: Place) -> int | None:
    """The memory limit that it gives the container, in bytes; None where there is none, or none that can be read."""
    node = text.documents[place.document]
    for path in _LIMITS[place.compose]:
        told = scalar(find(node, place.path), *path)
        if told is None:
            continue
        if place.compose:
            return bytes_of(told)
        try:
            return quantity(told).whole
        except QuantityError:
            return None
    return None


def with_variable(text: YamlText, place: Place, name: str, change: Change) -> bytes:
    """The text with the variable set. Raises YamlEditError, also where the value comes from elsewhere (`valueFrom`)."""
    old = variable(text, place, name)
    node = find(text.documents[place.document], (*place.path, place.key))
    path = (*place.path, place.key)
    if node is None or node.form is not Form.SEQUENCE:
        made = {name: change(old)} if place.compose else [{"name": name, "value": change(old)}]
        if node is not None and node.form is Form.SCALAR and not place.compose:
            raise YamlEditError("layout", "/".join(map(str, path)))
        return spliced(text.content, splices_of(text, place.document, place.path, {place.key: made}))
    for number, item in enumerate(items_of(node)):
        if place.compose and item.text.partition("=")[0] == name:
            return spliced(text.content, splices_of(text, place.document, (*path, number), f"{name}={change(old)}"))
        if not place.compose and scalar(item, "name") == name:
            if value_of(item, "valueFrom") is not None:
                raise YamlEditError("kind", f"{name}: valueFrom")
            return spliced(text.content, splices_of(text, place.document, (*path, number), {"value": change(old)}))
    new = f"{name}={change(None)}" if place.compose else {"name": name, "value": change(None)}
    return append(text, place.document, path, new)


def _argument_nodes(text: YamlText, place: Place) -> Iterator[Node]:
    root = text.documents[place.document]
    for key in _ARGUMENTS:
        node = find(root, (*place.path, key))
        if node is not None:
            yield from (each for each in (node, *items_of(node)) if each.form is Form.SCALAR)
