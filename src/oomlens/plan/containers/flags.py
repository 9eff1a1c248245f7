"""Options of a `docker run` or `podman run` command line within a text: found with their places, and changed in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# systemd.syntax(7): blanks part, quotes join, a backslash at the end of a line is a blank.
_WORD = re.compile(rb"""(?:[^\s"'\\]|\\(?!\r?\n).|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""", re.DOTALL)
_NAMES = {b"--memory": "memory", b"-m": "memory", b"--memory-swap": "memsw", b"--pids-limit": "pids"}
_LONG = {"memory": b"--memory", "memsw": b"--memory-swap", "pids": b"--pids-limit"}
# `-itm 512m`: the last of several short options may take a value.
_JOINED = re.compile(rb"-[a-zA-Z]+m(?:$|[=\d])")


class Word(NamedTuple):
    """A word and its bytes in the text."""

    start: int
    end: int
    text: bytes


class FlagsError(ValueError):
    """A command line that cannot be changed in place. code: "variable", "joined" or "unknown"."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def words_of(content: bytes, start: int, end: int) -> list[Word]:
    """The words of a part of a text."""
    return [Word(found.start(), found.end(), found[0]) for found in _WORD.finditer(content, start, end)]


def bare(word: bytes) -> bytes:
    """A word without its quotes."""
    return re.sub(rb"""["']""", b"", word)


def flags_in(words: Sequence[Word]) -> dict[str, Word]:
    """The values of the limits among words, by `memory`, `memsw`, `pids`; the last of each counts."""
    found: dict[str, Word] = {}
    for number, word in enumerate(words):
        plain = bare(word.text)
        name, equals, value = plain.partition(b"=")
        key = _NAMES.get(name)
        if key is not None and equals:
            found[key] = Word(word.end - len(value) - _closing(word.text), word.end - _closing(word.text), value)
        elif key is not None and number + 1 < len(words):
            after = words[number + 1]
            found[key] = Word(after.start, after.end, bare(after.text))
        elif re.fullmatch(rb"-m\d+[bkmgt]?", plain, re.IGNORECASE):
            found["memory"] = Word(word.start + 2, word.end, plain[2:])
    return found


def _closing(word: bytes) -> int:
    return 1 if word[-1:] in (b'"', b"'") else 0


def changed(content: bytes, words: Sequence[Word], at: int, wanted: dict[str, str]) -> bytes:
    """The text with the limits set: where they stand, else as new options at byte `at`. Raises FlagsError."""
    known = flags_in(words)
    splices: list[tuple[int, int, bytes]] = []
    missing: list[bytes] = []
    for key, value in wanted.items():
        place = known.get(key)
        if place is None:
            missing.append(_LONG[key] + b"=" + value.encode())
        elif b"$" in place.text or b"%" in place.text:
            raise FlagsError("variable")
        elif place.text != value.encode():
            splices.append((place.start, place.end, value.encode()))
    if missing and any(_JOINED.match(word.text) for word in words):
        raise FlagsError("joined")
    if missing:
        splices.append((at, at, b" " + b" ".join(missing)))
    for start, end, new in sorted(splices, reverse=True):
        content = content[:start] + new + content[end:]
    return content
