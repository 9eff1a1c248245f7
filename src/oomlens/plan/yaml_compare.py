"""What a change of a YAML text changed: the last look before it is shown to anyone."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.model.yaml_text import Form, Node, YamlText

Place = tuple[str | int, ...]


def changed_places(before: YamlText, after: YamlText) -> frozenset[Place]:
    """Where two texts differ in what they say: number of the document, then keys and numbers of list items.

    A mapping that has a key more differs there; an alias says its name. A text that cannot be read differs as a whole: `()`.
    """
    if before.problem or after.problem or len(before.documents) != len(after.documents):
        return frozenset([()])
    pairs = zip(before.documents, after.documents, strict=True)
    return frozenset(place for number, (old, new) in enumerate(pairs) for place in _differences(old, new, (number,)))


def _differences(old: Node, new: Node, place: Place) -> Iterator[Place]:
    todo = [(old, new, place)]
    while todo:
        left, right, here = todo.pop()
        if left.form is not right.form or left.anchor != right.anchor or left.tag != right.tag:
            yield here
        elif left.form is Form.MAPPING:
            names = [[_name(key) for key, _ in node.pairs] for node in (left, right)]
            if any(len(set(keys)) < len(keys) for keys in names) and names[0] != names[1]:
                yield here
                continue
            ours, theirs = (
                dict(zip(keys, (v for _, v in n.pairs), strict=True))
                for keys, n in zip(names, (left, right), strict=True)
            )
            yield from ((*here, name) for name in ours.keys() ^ theirs.keys())
            todo += [(ours[name], theirs[name], (*here, name)) for name in ours.keys() & theirs.keys()]
        elif left.form is Form.SEQUENCE:
            yield from (
                (*here, at)
                for at in range(min(len(left.items), len(right.items)), max(len(left.items), len(right.items)))
            )
            todo += [(a, b, (*here, at)) for at, (a, b) in enumerate(zip(left.items, right.items, strict=False))]
        elif (left.text, left.style) != (right.text, right.style):
            yield here


def _name(key: Node) -> str:
    return key.text if key.form is Form.SCALAR else f"{key.form.value} {key.text}"
