"""Where in a TOML text each key and value stands; tomllib does not tell. The text must have passed tomllib."""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """From 1, in characters."""

    line: int
    column: int


_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?""""{0,2}', re.DOTALL),
    re.compile(r"'''.*?''''{0,2}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class Places:
    """Answers for a path of keys and indexes; where it is not in the text, for the nearest one above it."""

    def __init__(self, keys: dict[Path, Place], values: dict[Path, Place]) -> None:
        self._keys = keys
        self._values = values

    def key(self, path: Path) -> Place:
        """Of the key (of a table: of its header)."""
        return self._nearest(self._keys, path)

    def value(self, path: Path) -> Place:
        """Of the value; of the key where it has none of its own."""
        return self._values.get(path) or self._nearest(self._keys, path)

    def _nearest(self, places: dict[Path, Place], path: Path) -> Place:
        while path:
            found = places.get(path) or self._values.get(path)
            if found is not None:
                return found
            path = path[:-1]
        return Place(1, 1)


def no_places() -> Places:
    """For a document that was not read from a text."""
    return Places({}, {})


def places_of(text: str) -> Places:
    """The places of a valid text. Lines end with "\\n"."""
    scanner = _Scanner(text)
    scanner.run()
    return Places(scanner.keys, scanner.values)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._line_start = 0
        self._arrays: dict[Path, int] = {}
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}

    def run(self) -> None:
        table: Path = ()
        while self._skip() < len(self._text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._assignment(table)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> int:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._at

    def _place(self, at: int) -> Place:
        """Places are asked for from front to back, so lines are counted once."""
        self._line += self._text.count("\n", self._counted_to, at)
        last = self._text.rfind("\n", self._counted_to, at)
        if last >= 0:
            self._line_start = last + 1
        self._counted_to = at
        return Place(self._line, at - self._line_start + 1)

    def _header(self) -> Path:
        start = self._at
        place = self._place(start)
        repeated = self._text.startswith("[[", start)
        self._at += 2 if repeated else 1
        path: Path = ()
        names = self._names()
        for position, (name, at) in enumerate(names):
            path = (*path, name)
            self.keys.setdefault(path, at)
            if repeated and position == len(names) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        self.keys[path] = place
        self._at = self._text.index("]", self._at) + (2 if repeated else 1)
        return path

    def _names(self) -> list[tuple[str, Place]]:
        """A dotted key, and behind it."""
        found: list[tuple[str, Place]] = []
        while True:
            self._skip()
            place = self._place(self._at)
            if self._peek() in "\"'":
                quoted = self._string()
                found.append((tomllib.loads(f"key = {quoted}")["key"], place))
            else:
                bare = _BARE_KEY.match(self._text, self._at)
                assert bare is not None
                self._at = bare.end()
                found.append((bare[0], place))
            self._skip()
            if self._peek() != ".":
                return found
            self._at += 1

    def _string(self) -> str:
        for pattern in _STRINGS:
            found = pattern.match(self._text, self._at)
            if found is not None:
                self._at = found.end()
                return found[0]
        raise AssertionError("not a string")

    def _assignment(self, table: Path) -> None:
        path = table
        for name, place in self._names():
            path = (*path, name)
            self.keys.setdefault(path, place)
        self._at += 1  # the "="
        self._skip()
        self._value(path)

    def _value(self, path: Path) -> None:
        self.values[path] = self._place(self._at)
        first = self._peek()
        if first in ('"', "'"):
            self._string()
        elif first == "[":
            self._items(path, "]")
        elif first == "{":
            self._items(path, "}")
        else:
            bare = _BARE_VALUE.match(self._text, self._at)
            assert bare is not None
            self._at = bare.end()

    def _items(self, path: Path, end: str) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip()
            if self._peek() == end:
                self._at += 1
                return
            if self._peek() == ",":
                self._at += 1
            elif end == "]":
                self._value((*path, index))
                index += 1
            else:
                self._assignment(path)
