"""Changes values of a YAML text and leaves every other byte alone: quotes, comments, indentation and line ends stay as they are.

A value that is there is replaced where it stands; what is missing is written after its neighbours, in the file's own style.
What an anchor shares with another place is not changed: that is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from oomlens.model.yaml_text import Form, Node, Style, YamlText
from oomlens.plan.yaml_find import Path, is_key, value_of
from oomlens.plan.yaml_spell import Layout, Wanted, flow, item_lines, lines_of, spelled

_PROBE = re.compile(rb" *(?:[-?] +)*")
_BLANKS = re.compile(rb" *")
# Line breaks to YAML 1.1 that are none to most editors: where a line ends is then a matter of opinion.
_ODD_BREAK = re.compile(b"\r(?!\n)|\xc2\x85|\xe2\x80[\xa8\xa9]")


class YamlEditError(ValueError):
    """A change that cannot be made without touching more. code: "alias", "anchor", "merge", "duplicate", "layout", "kind" or "template"."""

    def __init__(self, code: str, where: str) -> None:
        super().__init__(f"{where} ({code})")
        self.code = code
        self.where = where


class Splice(NamedTuple):
    """Bytes start..end of the text become `new`."""

    start: int
    end: int
    new: bytes


def spliced(content: bytes, splices: Iterable[Splice]) -> bytes:
    """The text with the changes made. Where two begin at one place, the first given comes first."""
    done, at = bytearray(), 0
    for splice in sorted(splices, key=lambda one: one.start):
        if splice.start < at:
            raise YamlEditError("layout", f"two changes at byte {splice.start}")
        done += content[at : splice.start] + splice.new
        at = splice.end
    return bytes(done + content[at:])


def merge(text: YamlText, document: int, path: Path, wanted: Wanted) -> bytes:
    """The text in which the value at a path has what is wanted: mappings key by key, all else replaced whole.

    path: of something that is there; numbers are list items. Raises YamlEditError.
    """
    return spliced(text.content, splices_of(text, document, path, wanted))


def splices_of(text: YamlText, document: int, path: Path, wanted: Wanted) -> tuple[Splice, ...]:
    """The changes that `merge` makes. Raises YamlEditError."""
    editor = _Editor(text, document)
    return tuple(editor.at(text.documents[document], path, wanted))


def append(text: YamlText, document: int, path: Path, item: Wanted) -> bytes:
    """The text in which the list at a path has one more item, the last. Raises YamlEditError."""
    editor = _Editor(text, document)
    return spliced(text.content, editor.appended(text.documents[document], path, item))


class _Editor:
    def __init__(self, text: YamlText, document: int) -> None:
        self._content = text.content
        self._referred = text.aliases[document]
        self._newline = b"\r\n" if b"\r\n" in text.content else b"\n"
        self._odd = _ODD_BREAK.search(text.content) is not None
        self._start = 3 if text.content.startswith(b"\xef\xbb\xbf") else 0
        self._layout = self._layout_of(text.documents[document])
        self._json = False

    def at(self, node: Node, path: Path, wanted: Wanted) -> Iterator[Splice]:
        """Walks down to a place that is there, then changes it."""
        yield from self._change(self._walk(node, path), wanted, "/".join(map(str, path)))

    def appended(self, node: Node, path: Path, item: Wanted) -> Iterator[Splice]:
        """One more item of a sequence."""
        where = "/".join(map(str, path))
        found = self._walk(node, path)
        if found.form is not Form.SEQUENCE:
            raise YamlEditError("kind", where)
        if found.style is Style.FLOW:
            yield self._into_flow(found, flow(item, json_style=self._json), where)
            return
        column = self._dash_column(found.items[0])
        yield self._lines_after(found, item_lines(item, column, self._layout), where)

    def _walk(self, node: Node, path: Path) -> Node:
        walked: list[str] = []
        self._own(node, "")
        for step in path:
            walked.append(str(step))
            where = "/".join(walked)
            if isinstance(step, int):
                if node.form is not Form.SEQUENCE or step >= len(node.items):
                    raise YamlEditError("kind", where)
                node = node.items[step]
            else:
                node = self._pair(node, step, where)
            self._own(node, where)
        return node

    def _pair(self, node: Node, key: str, where: str) -> Node:
        found = self._entry(node, key, where)
        if found is None:
            raise YamlEditError("merge" if value_of(node, key) is not None else "kind", where)
        return found

    def _entry(self, node: Node, key: str, where: str) -> Node | None:
        if node.form is not Form.MAPPING:
            raise YamlEditError("kind", where)
        self._json = node.style is Style.FLOW and all(name.style is Style.DOUBLE for name, _ in node.pairs) and (
            bool(node.items) or self._json
        )  # fmt: skip
        found = [value for name, value in node.pairs if is_key(name, key)]
        if len(found) > 1:
            raise YamlEditError("duplicate", where)
        return found[0] if found else None

    def _own(self, node: Node, where: str) -> None:
        """Whether the text that stands here is this place's alone."""
        if node.form is Form.ALIAS:
            raise YamlEditError("alias", where)
        if node.anchor is not None and node.anchor in self._referred:
            raise YamlEditError("anchor", where)

    def _change(self, node: Node, wanted: Wanted, where: str) -> Iterator[Splice]:
        self._own(node, where)
        if b"{{" in self._content[node.start : node.end] and node.form is not Form.SCALAR:
            raise YamlEditError("template", where)
        if not isinstance(wanted, Mapping):
            yield self._replaced(node, wanted, where)
        elif node.form is Form.MAPPING:
            yield from self._merged(node, wanted, where)
        elif node.form is Form.SCALAR and _is_null(node):
            yield self._filled(node, wanted, where)
        else:
            raise YamlEditError("kind", where)

    def _merged(self, node: Node, wanted: Mapping[str, Wanted], where: str) -> Iterator[Splice]:
        missing: dict[str, Wanted] = {}
        for key, value in wanted.items():
            here = f"{where}/{key}".lstrip("/")
            found = self._entry(node, key, here)
            if found is not None:
                json_style = self._json
                yield from self._change(found, value, here)
                self._json = json_style
                continue
            merged_in = value_of(node, key)
            if merged_in is not None and isinstance(value, Mapping):
                raise YamlEditError("merge", here)  # a key of its own would hide all that is merged in
            missing[key] = value
        if missing:
            yield self._added(node, missing, where)

    def _replaced(self, node: Node, wanted: Wanted, where: str) -> Splice:
        if node.form is not Form.SCALAR or node.style in (Style.LITERAL, Style.FOLDED):
            raise YamlEditError("kind", where)
        if not isinstance(wanted, str | int):
            raise YamlEditError("kind", where)
        if self._content[node.start : node.start + 1] in (b"&", b"!") and node.style is Style.PLAIN:
            raise YamlEditError("layout", where)
        if b"{{" in self._content[node.start : node.end]:
            raise YamlEditError("template", where)
        new = spelled(wanted, node.style, json_style=self._json).encode()
        if node.style is Style.EMPTY:
            if self._content[node.start - 1 : node.start] not in (b":", b" "):
                raise YamlEditError("layout", where)
            new = new if self._content[node.start - 1 : node.start] == b" " else b" " + new
            follows = self._content[node.end : node.end + 1]
            new += b" " if follows not in (b"", b" ", b"\r", b"\n", b",", b"}") else b""
        return Splice(node.start, node.end, new)

    def _filled(self, node: Node, wanted: Mapping[str, Wanted], where: str) -> Splice:
        """A mapping where nothing is."""
        if node.anchor is not None or node.tag is not None:
            raise YamlEditError("layout", where)
        new = flow(wanted, json_style=self._json).encode()
        if node.style is not Style.EMPTY:
            return Splice(node.start, node.end, new)
        line = self._content[self._line_start(node.start) : node.start]
        if self._json or not line.endswith(b":") or self._odd:
            raise YamlEditError("layout", where)
        body = lines_of(wanted, self._column(node.start) + self._layout.step, self._layout)
        return self._at_line_end(node.end, body)

    def _added(self, node: Node, wanted: Mapping[str, Wanted], where: str) -> Splice:
        if node.style is Style.FLOW:
            return self._into_flow(node, flow(wanted, json_style=self._json)[1:-1], where)
        return self._lines_after(node, lines_of(wanted, self._column(node.items[0].start), self._layout), where)

    def _into_flow(self, node: Node, new: str, where: str) -> Splice:
        if not node.items:
            if self._content[node.start + 1 : node.end - 1].strip():
                raise YamlEditError("layout", where)  # a comment within
            return Splice(node.start + 1, node.end - 1, new.encode())
        last = node.items[-1]
        first = node.items[0]
        before = self._content[self._line_start(first.start) : first.start]
        own_line = not before.strip() and self._line_start(first.start) > node.start
        if last.style is Style.EMPTY and self._content[last.end - 1 : last.end] not in (b":", b" "):
            raise YamlEditError("layout", where)
        gap = self._newline + before if own_line else b" "
        return Splice(last.end, last.end, b"," + gap + new.encode())

    def _lines_after(self, node: Node, body: Sequence[str], where: str) -> Splice:
        last = _last(node)
        if self._odd:
            raise YamlEditError("layout", where)
        if last.style in (Style.LITERAL, Style.FOLDED):
            if not self._content[: last.end].endswith(b"\n"):
                raise YamlEditError("layout", where)  # a line end more would be one more in its text
            text = "".join(f"{line}\n" for line in body).replace("\n", self._newline.decode())
            return Splice(last.end, last.end, text.encode())
        return self._at_line_end(last.end, body)

    def _at_line_end(self, place: int, body: Sequence[str]) -> Splice:
        end = self._content.find(b"\n", place)
        if end < 0:
            end = len(self._content)
        elif self._content[end - 1 : end] == b"\r":
            end -= 1
        end = max(end, place)
        new = b"".join(self._newline + line.encode() for line in body)
        return Splice(end, end, new)

    def _line_start(self, place: int) -> int:
        return max(self._content.rfind(b"\n", 0, place) + 1, self._start)

    def _column(self, place: int, *, dashes: bool = True) -> int:
        """Where what stands in the place's line is indented to; with dashes, `- ` counts as blanks."""
        start = self._line_start(place)
        found = (_PROBE if dashes else _BLANKS).match(self._content, start)
        return min(found.end() if found else start, max(place, start)) - start

    def _layout_of(self, root: Node) -> Layout:
        """How the document indents, as its first nested mapping and its first list show."""
        step: int | None = None
        dash: int | None = None
        todo = [root]
        while todo and (step is None or dash is None):
            node = todo.pop(0)
            todo += node.items
            if node.style is not Style.BLOCK or node.form is not Form.MAPPING:
                continue
            column = self._column(node.items[0].start)
            for _, value in node.pairs:
                if value.style is Style.BLOCK and value.form is Form.MAPPING and step is None:
                    step = self._column(value.items[0].start) - column
                if value.style is Style.BLOCK and value.form is Form.SEQUENCE and dash is None:
                    dash = self._column(value.items[0].start, dashes=False) - column
        return Layout(step if step is not None and step > 0 else 2, max(dash or 0, 0))

    def _dash_column(self, item: Node) -> int:
        start = self._line_start(item.start)
        dash = self._content.rfind(b"-", start, item.start)
        if dash < 0:
            raise YamlEditError("layout", "")
        return dash - start


def _is_null(node: Node) -> bool:
    return node.style is Style.EMPTY or (node.style is Style.PLAIN and node.text in ("null", "~", "Null", "NULL"))


def _last(node: Node) -> Node:
    """The innermost last value of a block collection."""
    while node.items and node.style is Style.BLOCK:
        node = node.items[-1]
    return node
