"""Environment= in texts of systemd's form: units, drop-ins, quadlets. One word changes, or one line is added.

Source: systemd.exec(5), systemd.syntax(7): lines add up, an empty one begins anew, the last assignment wins; `%` is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from oomlens.plan.containers.flags import words_of
from oomlens.plan.containers.unit_text import section_end, settings_of

Change = Callable[[str | None], str]


class Assigned(NamedTuple):
    """A variable in an Environment= line: the bytes of its whole word, and its value."""

    start: int
    end: int
    value: str


def assigned(content: bytes, variable: str, section: str) -> Assigned | None:
    """The assignment that takes effect in this file."""
    found: Assigned | None = None
    for setting in settings_of(content):
        if setting.section != section or setting.key != "Environment":
            continue
        words = words_of(content, setting.start, setting.end)
        if not words:
            found = None  # `Environment=` begins anew
        for word in words:
            name, equals, value = _plain(word.text.decode("utf-8", "surrogateescape")).partition("=")
            if equals and name == variable:
                found = Assigned(word.start, word.end, value)
    return found


def with_environment(content: bytes, variable: str, change: Change, section: str) -> bytes:
    """The text with the variable set; a section that is missing is added. Raises ValueError where a value cannot stand in one line."""
    old = assigned(content, variable, section)
    value = change(None if old is None else old.value)
    if "\n" in value or "\0" in value:
        raise ValueError("a value of several lines")
    word = _spelled(f"{variable}={value}")
    if old is not None:
        return content[: old.start] + word + content[old.end :]
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    line = b"Environment=" + word + newline
    end = section_end(content, section)
    if end is None:
        gap = b"" if not content or content.endswith(b"\n") else newline
        return content + gap + f"[{section}]".encode() + newline + line
    gap = b"" if content[:end].endswith(b"\n") else newline
    return content[:end] + gap + line + content[end:]


def _plain(word: str) -> str:
    """Without quotes and escapes, `%%` as one."""
    found: list[str] = []
    quote = ""
    letters = iter(word)
    for letter in letters:
        if letter == "\\":
            found.append(next(letters, ""))
        elif letter == quote or (not quote and letter in "\"'"):
            quote = "" if quote else letter
        else:
            found.append(letter)
    return "".join(found).replace("%%", "%")


def _spelled(word: str) -> bytes:
    """As one word, whatever it holds."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    plain = re.fullmatch(r"[A-Za-z0-9_@:,./=+-]*", word) is not None
    return (word if plain else f'"{escaped}"').encode("utf-8", "surrogateescape")
