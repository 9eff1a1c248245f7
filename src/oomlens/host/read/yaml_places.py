"""YAML text -> the place of every value in it, in bytes. PyYAML finds them; nothing is changed or evaluated."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

from oomlens.model.yaml_text import Form, Node, Style, YamlText

_BOM = b"\xef\xbb\xbf"
# Anchor and tag stand before what they belong to, in any order.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s++)+(?!#)|[&!]\S*+(?:\s+[&!]\S*+)?\s*$")
_STYLES = {"'": Style.SINGLE, '"': Style.DOUBLE, "|": Style.LITERAL, ">": Style.FOLDED}
_MAX_DEPTH = 200  # deeper than any manifest; a planner walks down by recursion


class _Places:
    """From the parser's characters to bytes of the whole text."""

    def __init__(self, text: str, offset: int) -> None:
        self._offset = offset
        self._bytes = None if text.isascii() else list(accumulate((len(c.encode()) for c in text), initial=0))

    def __call__(self, index: int) -> int:
        return self._offset + (index if self._bytes is None else self._bytes[index])


def read_yaml(content: bytes) -> YamlText:
    """Finds every value; never raises: what is not YAML in UTF-8 has a `problem` and no documents."""
    import yaml

    offset = len(_BOM) if content.startswith(_BOM) else 0
    try:
        text = content[offset:].decode()
    except UnicodeDecodeError as error:
        return YamlText(content, problem=f"not UTF-8 at byte {offset + error.start}")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(text, _Places(text, offset))
    try:
        for event in yaml.parse(_parsable(text), Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        return YamlText(content, problem=f"{where}{error.problem or error.context}")
    except (yaml.YAMLError, ValueError) as error:
        return YamlText(content, problem=str(error).splitlines()[0])
    return YamlText(content, tuple(builder.documents), tuple(builder.aliases))


def _parsable(text: str) -> str:
    """JSON may be indented with tabs, which YAML does not take; within its strings there are none."""
    if "\t" not in text or text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


class _Open:
    """A collection that has not ended yet."""

    def __init__(self, form: Form, style: Style, start: int, anchor: str | None, tag: str | None) -> None:
        self.form, self.style, self.start, self.anchor, self.tag = form, style, start, anchor, tag
        self.items: list[Node] = []


class _Builder:
    """Takes events in turn."""

    def __init__(self, text: str, places: _Places) -> None:
        self.documents: list[Node] = []
        self.aliases: list[frozenset[str]] = []
        self._text = text
        self._places = places
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._referred: set[str] = set()

    def take(self, event: Any) -> None:
        """Follows one event of PyYAML."""
        match type(event).__name__:
            case "DocumentStartEvent":
                self._anchors, self._referred = {}, set()
            case "DocumentEndEvent":
                self.aliases.append(frozenset(self._referred))
            case "MappingStartEvent":
                self._begin(Form.MAPPING, event)
            case "SequenceStartEvent":
                self._begin(Form.SEQUENCE, event)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._end(event)
            case "ScalarEvent":
                self._put(self._scalar(event))
            case "AliasEvent":
                self._referred.add(event.anchor)
                self._put(
                    Node(
                        Form.ALIAS, Style.PLAIN, self._places(event.start_mark.index), self._places(event.end_mark.index),
                        event.anchor, target=self._anchors.get(event.anchor),
                    )
                )  # fmt: skip

    def _begin(self, form: Form, event: Any) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise ValueError(f"nested more than {_MAX_DEPTH} deep")
        style = Style.FLOW if event.flow_style else Style.BLOCK
        # Of a flow collection the mark ends with the bracket; of a block collection the first item tells.
        start = self._places(event.end_mark.index - 1) if event.flow_style else self._places(event.end_mark.index)
        self._open.append(_Open(form, style, start, event.anchor, event.tag))

    def _end(self, event: Any) -> None:
        done = self._open.pop()
        start, end = done.start, self._places(event.end_mark.index)
        if done.style is Style.BLOCK and done.items:
            start, end = done.items[0].start, done.items[-1].end
        self._put(Node(done.form, done.style, start, end, "", tuple(done.items), done.anchor, done.tag))

    def _scalar(self, event: Any) -> Node:
        first, last = event.start_mark.index, event.end_mark.index
        style = _STYLES.get(event.style or "", Style.PLAIN)
        if event.anchor is not None or event.tag is not None:
            properties = _PROPERTIES.match(self._text[first:last])
            first += properties.end() if properties else 0
        if style is Style.PLAIN and first == last:
            style = Style.EMPTY
        return Node(
            Form.SCALAR, style, self._places(first), self._places(last), event.value, (), event.anchor, event.tag
        )

    def _put(self, node: Node) -> None:
        if node.anchor is not None:
            self._anchors[node.anchor] = node
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.documents.append(node)
