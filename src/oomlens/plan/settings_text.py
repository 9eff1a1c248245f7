"""Settings in the configuration files of servers: one line changes, or one is added; comments and spacing stay.

Formats: postgresql.conf (`key = value`, the last one wins), redis.conf (`key value`, the last one wins), my.cnf (sections of `key=value`,
`-` and `_` alike, the last one wins).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Format:
    """equals: what stands between key and value when a line is made. sections: whether `[name]` lines part the file.

    loose: whether `-` and `_` in keys are the same. comments: what begins one at the start of a line.
    trailing_comments, trailing: whether one may follow a value, and what begins that.
    """

    equals: str
    pattern: str
    sections: bool = False
    loose: bool = False
    comments: str = "#"
    trailing_comments: bool = True
    trailing: str = "#"


POSTGRESQL = Format(" = ", r"\s*=\s*|\s+")
REDIS = Format(" ", r"\s+", trailing_comments=False)
MYSQL = Format(" = ", r"\s*=\s*", sections=True, loose=True, comments="#;")


class Found(NamedTuple):
    """A setting: its line, from 0, where its value lies in that, and the value without quotes. section: "" without."""

    line: int
    start: int
    end: int
    value: str
    section: str = ""


def find(text: str, key: str, form: Format, sections: frozenset[str] = frozenset()) -> Found | None:
    """The one that takes effect; None where the file does not set it. sections: those that count."""
    pattern = _pattern(key, form)
    section, found = "", None
    for number, line in enumerate(text.split("\n")):
        section = _section(line, section, form)
        if form.sections and section not in sections:
            continue
        head = pattern.match(line)
        if head is not None:
            start, end = head.end(), head.end() + len(_value(line[head.end() :], form))
            found = Found(number, start, end, _bare(line[start:end]), section)
    return found


def switched_on(text: str, key: str, form: Format, sections: frozenset[str] = frozenset()) -> bool:
    """Whether a switch is on: given without a value, or with ON, 1, TRUE, yes."""
    lines, section, on = text.split("\n"), "", False
    alone = re.compile(_key(key, form) + r"\s*$", re.IGNORECASE)
    for line in lines:
        section = _section(line, section, form)
        if (not form.sections or section in sections) and alone.match(line.strip()):
            on = True
    found = find(text, key, form, sections)
    return on if found is None else found.value.lower() in ("on", "1", "true", "yes")


def put(
    text: str, key: str, value: str, form: Format, section: str = "", sections: frozenset[str] = frozenset()
) -> str:
    """The text in which the setting has the value: in its line, below a commented-out one, or at the end of file or section."""
    lines = text.split("\n")
    newline = "\r" if "\r\n" in text else ""
    found = find(text, key, form, sections or frozenset({section}))
    if found is not None:
        line = lines[found.line]
        quote = line[found.start : found.start + 1]
        spelled = f"{quote}{value}{quote}" if quote in ("'", '"') and found.end > found.start + 1 else value
        lines[found.line] = line[: found.start] + spelled + line[found.end :]
        return "\n".join(lines)
    made = f"{key}{form.equals}{value}{newline}"
    at = _after_comment(lines, key, form, section)
    if at is None and form.sections:
        at = _section_end(lines, section, form)
        if at is None:
            return _appended(text, f"[{section}]{newline}\n{made}")
    if at is None:
        return _appended(text, made)
    lines.insert(at, made)
    return "\n".join(lines)


def _appended(text: str, made: str) -> str:
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{made}\n"


def _after_comment(lines: list[str], key: str, form: Format, section: str) -> int | None:
    """Below the last `#key = …` that a distribution ships."""
    # With one value behind it: prose about the setting has more words.
    pattern = re.compile(rf"\s*[{re.escape(form.comments)}]\s?{_key(key, form)}(?:{form.pattern})\S+\s*(?:#.*)?$")
    now, found = "", None
    for number, line in enumerate(lines):
        now = _section(line, now, form)
        if (not form.sections or now == section) and pattern.match(line):
            found = number + 1
    return found


def _section_end(lines: list[str], section: str, form: Format) -> int | None:
    now, found = "", None
    for number, line in enumerate(lines):
        now = _section(line, now, form)
        if now == section and line.strip() and (found is None or not line.lstrip().startswith(tuple(form.comments))):
            found = number + 1
    return found


def _section(line: str, now: str, form: Format) -> str:
    head = re.match(r"\s*\[([^\]\n]{1,100})\]", line) if form.sections else None
    return now if head is None else head[1].strip()


def _key(key: str, form: Format) -> str:
    return re.sub("_", "[-_]", re.escape(key)) if form.loose else re.escape(key)


def _pattern(key: str, form: Format) -> re.Pattern[str]:
    return re.compile(rf"\s*{_key(key, form)}(?:{form.pattern})", re.IGNORECASE)


def _value(rest: str, form: Format) -> str:
    """The value at the start of the rest of a line, quotes included."""
    quote = rest[:1]
    if quote in ("'", '"') and quote in rest[1:]:
        return rest[: rest.index(quote, 1) + 1]
    if form.trailing_comments:
        rest = re.split(rf"\s*{form.trailing}", rest, maxsplit=1)[0]
    return rest.rstrip()


def _bare(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
