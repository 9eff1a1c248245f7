"""Variables in environment files and shell scripts: one line changes, or one is added.

Environment files: systemd.exec(5) EnvironmentFile=, /etc/default; scripts: sh(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from oomlens.plan.start.words import AmbiguousError

Change = Callable[[str | None], str]
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./=-]*")


class Assigned(NamedTuple):
    """An assignment in a line: the value lies at start..end of it, without its quotes."""

    line: int
    start: int
    end: int
    quote: str
    value: str


def is_script(text: str) -> bool:
    """Whether a text is run by a shell, rather than read as `NAME=value` lines."""
    return (
        text.startswith("#!") or re.search(r"^\s*(?:export\s|exec\s|if\s|\. |source\s)", text, re.MULTILINE) is not None
    )


def assignments(text: str, variable: str) -> tuple[Assigned, ...]:
    """Where a variable is set; the last one wins. Raises ValueError where a value goes on in the next line."""
    pattern = re.compile(rf"^\s*(?:export\s+|declare\s+-x\s+)?{re.escape(variable)}=")
    found: list[Assigned] = []
    script = is_script(text)
    for number, line in enumerate(text.split("\n")):
        head = pattern.match(line)
        if head is not None:
            found.append(_value(line, number, head.end(), script=script))
    return tuple(found)


def _value(line: str, number: int, start: int, *, script: bool) -> Assigned:
    quote = line[start : start + 1]
    if quote in ('"', "'"):
        end = _closing(line, start + 1, quote)
        return Assigned(number, start + 1, end, quote, line[start + 1 : end])
    body = line[start:].rstrip("\r")
    if body.endswith("\\"):
        raise ValueError(f"line {number + 1} goes on in the next")
    if script:
        body = re.split(r"[\s;&|]", body, maxsplit=1)[0]
    return Assigned(number, start, start + len(body.rstrip()), "", body.rstrip())


def _closing(line: str, start: int, quote: str) -> int:
    at = start
    while at < len(line):
        if line[at] == "\\" and quote == '"':
            at += 1
        elif line[at] == quote:
            return at
        at += 1
    raise ValueError("a quoted value goes on in the next line")


def with_variable(text: str, variable: str, change: Change) -> str:
    """The text with the variable's value changed, or a line for it added. Raises AmbiguousError, ValueError."""
    found = assignments(text, variable)
    if len(found) > 1:
        raise AmbiguousError(tuple(each.line + 1 for each in found))
    if not found:
        return _added(text, variable, change(None))
    one = found[0]
    lines = text.split("\n")
    line = lines[one.line]
    new = change(one.value)
    if not one.quote:
        new = _quoted(new)
    elif one.quote in new:
        raise ValueError(f"line {one.line + 1}: the new value holds the quote that it stands in")
    lines[one.line] = line[: one.start] + new + line[one.end :]
    return "\n".join(lines)


def _quoted(value: str) -> str:
    """As a shell and systemd read it alike."""
    if _PLAIN.fullmatch(value):
        return value
    if '"' not in value and "$" not in value and "`" not in value and "\\" not in value:
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'"
    raise ValueError("a value with both kinds of quotes")


def _added(text: str, variable: str, value: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    if not is_script(text):
        gap = "" if not text or text.endswith("\n") else newline
        return f"{text}{gap}{variable}={_quoted(value)}{newline}"
    line = f"export {variable}={_quoted(value)}"
    lines = text.split("\n")
    end = len(lines) - (lines[-1] == "")
    at = next((number for number, each in enumerate(lines) if each.strip() and not each.startswith("#")), end)
    head, tail = "\n".join(lines[:at]), "\n".join(lines[at:])
    lead = head + "\n" if at else ""
    return f"{lead}{line}{newline}{tail}"
