"""Finds values in a YAML text by their path: keys and numbers of list items. Aliases and merge keys are followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from oomlens.model.yaml_text import Form, Node, Style, YamlText

Path = Sequence[str | int]


def value_of(node: Node | None, key: str) -> Node | None:
    """The value of a mapping's key, aliases and merge keys (`<<`) followed; None where there is none."""
    for mapping in _with_merged(node):
        own = [value for name, value in mapping.pairs if is_key(name, key)]
        if own:
            return real(own[-1])
    return None


def find(node: Node | None, path: Path) -> Node | None:
    """The value at a path of keys and numbers of list items; None where there is none."""
    for step in path:
        if isinstance(step, str):
            node = value_of(node, step)
        else:
            items = items_of(node)
            node = items[step] if -len(items) <= step < len(items) else None
    return real(node)


def items_of(node: Node | None) -> tuple[Node, ...]:
    """The items of a sequence; none of anything else."""
    node = real(node)
    return tuple(real(item) or item for item in node.items) if node is not None and node.form is Form.SEQUENCE else ()


def keys_of(node: Node | None) -> tuple[str, ...]:
    """The keys of a mapping, those merged in last."""
    keys = (name for mapping in _with_merged(node) for name, _ in mapping.pairs if name.form is Form.SCALAR)
    return tuple(dict.fromkeys(name.text for name in keys if not _is_merge(name)))


def scalar(node: Node | None, *path: str | int) -> str | None:
    """The text of a scalar; None where there is none, or it is null."""
    found = find(node, path)
    if found is None or found.form is not Form.SCALAR or found.style is Style.EMPTY:
        return None
    return None if found.style is Style.PLAIN and found.text in ("null", "~", "Null", "NULL") else found.text


def line_of(text: YamlText, node: Node) -> int:
    """The line that a value begins on, from 1."""
    return text.content.count(b"\n", 0, node.start) + 1


def is_key(name: Node, key: str) -> bool:
    """Whether a key of a mapping is that one."""
    return name.form is Form.SCALAR and name.text == key


def real(node: Node | None) -> Node | None:
    """What an alias stands for."""
    while node is not None and node.form is Form.ALIAS:
        node = node.target
    return node


def _is_merge(name: Node) -> bool:
    return name.form is Form.SCALAR and name.style is Style.PLAIN and name.text == "<<"


def _with_merged(node: Node | None) -> Iterator[Node]:
    """A mapping and those merged into it, the nearest first; each once, however often it is merged in."""
    todo, seen = [real(node)], set[int]()
    while todo:
        here = todo.pop(0)
        if here is None or here.form is not Form.MAPPING or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        sources = [real(value) for name, value in here.pairs if _is_merge(name)]
        todo[:0] = [one for source in sources for one in (items_of(source) or (source,))]


def data_of(node: Node | None) -> Any:
    """What a value says: dicts, lists, text; true, false and null as such, numbers as the text they are written as.

    Aliases are followed and merged mappings merged; what is referred to twice is one object. Keys are text.
    """
    return _data(node, {})


def _data(node: Node | None, known: dict[int, Any]) -> Any:
    node = real(node)
    if node is None:
        return None
    if id(node) in known:
        return known[id(node)]
    made: Any
    if node.form is Form.SCALAR:
        made = _WORDS.get(node.text, node.text) if node.style in (Style.PLAIN, Style.EMPTY) else node.text
    elif node.form is Form.SEQUENCE:
        made = [_data(item, known) for item in node.items]
    else:
        made = {}
        for mapping in _with_merged(node):
            for key, value in mapping.pairs:
                if key.form is Form.SCALAR and not _is_merge(key) and (mapping is node or key.text not in made):
                    made[key.text] = _data(value, known)
    known[id(node)] = made
    return made


_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
