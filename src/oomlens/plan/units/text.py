"""Unit files as text: what is set, and one line of a drop-in changed (systemd.syntax(7), systemd.unit(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_SECTION = re.compile(r"\[([^\]\n]+)\]\s*")
_HEAD = "# Made by oomlens; `oomlens rollback` takes it away.\n"


class Assignment(NamedTuple):
    """A setting. lines first..last, from 0, last inclusive; a value may go on over several lines."""

    section: str
    key: str
    value: str
    first: int
    last: int


class _Line(NamedTuple):
    """A line with those that it goes on in; lines first..last, from 0, last inclusive."""

    text: str
    first: int
    last: int


def _logical(lines: Sequence[str]) -> Iterator[_Line]:
    """The lines that say something; comments and empty ones are left out, also within a value."""
    at = 0
    while at < len(lines):
        first, text = at, lines[at]
        at += 1
        if not text.strip() or _comment(text):
            continue
        while text.endswith("\\") and at < len(lines):
            if not _comment(lines[at]):
                text = text[:-1] + " " + lines[at]
            at += 1
        yield _Line(text.strip(), first, at - 1)


def _comment(line: str) -> bool:
    return line.lstrip()[:1] in ("#", ";") and bool(line.strip())


def assignments(content: str) -> tuple[Assignment, ...]:
    """All settings of a unit file, in its order; lines that are none are passed over, as systemd does."""
    found: list[Assignment] = []
    section = ""
    for line in _logical(content.split("\n")):
        head = _SECTION.fullmatch(line.text)
        key, equals, value = line.text.partition("=")
        if head is not None:
            section = head[1]
        elif equals:
            found.append(Assignment(section, key.strip(), value.strip(), line.first, line.last))
    return tuple(found)


def value_of(contents: Iterable[str], section: str, key: str) -> str | None:
    """The value that wins over the fragment and its drop-ins, in that order; an empty one takes back what stood before."""
    value: str | None = None
    for content in contents:
        for each in assignments(content):
            if (each.section, each.key) == (section, key):
                value = each.value or None
    return value


def values_of(contents: Iterable[str], section: str, key: str) -> tuple[str, ...]:
    """The values of a setting that is a list, such as Environment=; an empty one takes back those before it."""
    values: list[str] = []
    for content in contents:
        for each in assignments(content):
            if (each.section, each.key) == (section, key):
                values = [*values, each.value] if each.value else []
    return tuple(values)


def with_setting(content: str | None, section: str, key: str, value: str) -> str:
    """The drop-in with the setting in it: its last line of that key changed, else one added to the section."""
    if content is None:
        return f"{_HEAD}[{section}]\n{key}={value}\n"
    lines = content.split("\n")
    held = [each for each in assignments(content) if (each.section, each.key) == (section, key)]
    if held:
        lines[held[-1].first : held[-1].last + 1] = [f"{key}={value}"]
        return "\n".join(lines)
    return "\n".join(_added(lines, section, f"{key}={value}"))


def without_setting(content: str, section: str, key: str) -> str:
    """The drop-in without any line of that key."""
    gone = {
        number
        for each in assignments(content)
        if (each.section, each.key) == (section, key)
        for number in range(each.first, each.last + 1)
    }
    return "\n".join(line for number, line in enumerate(content.split("\n")) if number not in gone)


def _added(lines: list[str], section: str, line: str) -> list[str]:
    heads = [(each.first, found[1]) for each in _logical(lines) if (found := _SECTION.fullmatch(each.text)) is not None]
    own = [number for number, name in heads if name == section]
    if not own:
        body = lines[:-1] if lines and not lines[-1] else lines
        return [*body, *_closed(body), f"[{section}]", line, ""]
    end = next((number for number, _ in heads if number > own[-1]), len(lines))
    while end - 1 > own[-1] and not lines[end - 1].strip():
        end -= 1
    if end == len(lines):
        return [*lines, *_closed(lines), line, ""]
    return [*lines[:end], *_closed(lines[:end]), line, *lines[end:]]


def _closed(lines: list[str]) -> list[str]:
    """An empty line where the last setting would go on in the next."""
    last = next((each for each in reversed(lines) if each.lstrip()[:1] not in ("#", ";")), "")
    return [""] if last.endswith("\\") else []


def quoted(assignment: str) -> str:
    """`NAME=value` as Environment= takes it: in double quotes, `%` doubled, for it begins a specifier."""
    text = assignment.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


def environment_of(values: Iterable[str]) -> dict[str, str]:
    """The variables that lines of Environment= set; later ones win."""
    found: dict[str, str] = {}
    for value in values:
        for word in words_of(value):
            name, equals, text = word.partition("=")
            if equals:
                found[name] = text
    return found


def words_of(value: str) -> tuple[str, ...]:
    """The words of a value, without their quotes and with `%%` as `%`; quotes that are not closed reach to the end."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(value)
    for each in characters:
        if each == "\\":
            word = (word or "") + next(characters, "")
        elif quote:
            quote, word = ("", word) if each == quote else (quote, (word or "") + each)
        elif each in "\"'":
            quote, word = each, word or ""
        elif each.isspace():
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + each
    return tuple(text.replace("%%", "%") for text in (*words, *((word,) if word is not None else ())))


def with_variable(content: str | None, variable: str, value: str) -> str:
    """The drop-in with an Environment= line for a variable: its own line changed where it has one, else one added."""
    line = quoted(f"{variable}={value}")
    for each in assignments(content or ""):
        if (each.section, each.key) == ("Service", "Environment") and set(environment_of([each.value])) == {variable}:
            lines = (content or "").split("\n")
            lines[each.first : each.last + 1] = [f"Environment={line}"]
            return "\n".join(lines)
    if content is None:
        return f"{_HEAD}[Service]\nEnvironment={line}\n"
    return "\n".join(_added(content.split("\n"), "Service", f"Environment={line}"))
