"""Texts of systemd's form (systemd.syntax(7)) with the places of their settings."""

from __future__ import annotations

import re
from typing import NamedTuple

_SECTION = re.compile(rb"^[ \t]*\[([^\]\n]*)\][ \t]*\r?$", re.MULTILINE)
_SETTING = re.compile(rb"^[ \t]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*((?:[^\n\\]|\\(?:\r?\n)?)*)$", re.MULTILINE)


class Setting(NamedTuple):
    """key and where its value stands, with continued lines; end is before the line's end. line: where its line begins."""

    section: str
    key: str
    line: int
    start: int
    end: int


def settings_of(content: bytes) -> tuple[Setting, ...]:
    """All settings, in order; comments are none."""
    sections = [(found.start(), found[1].decode("utf-8", "replace")) for found in _SECTION.finditer(content)]
    found: list[Setting] = []
    for each in _SETTING.finditer(content):
        section = next((name for start, name in reversed(sections) if start < each.start()), "")
        end = each.end() - (content[each.end() - 1 : each.end()] == b"\r")
        found.append(Setting(section, each[1].decode("ascii"), each.start(), each.start(2), max(end, each.start(2))))
    return tuple(found)


def section_end(content: bytes, section: str) -> int | None:
    """Where a setting can be added to a section: after its last line that says something; None where it is missing."""
    starts = [found for found in _SECTION.finditer(content) if found[1].decode("utf-8", "replace") == section]
    if not starts:
        return None
    after = next((found.start() for found in _SECTION.finditer(content, starts[-1].end())), len(content))
    body = content[starts[-1].end() : after]
    # Comments just before the next section belong to that.
    lines, kept = body.splitlines(keepends=True), 0
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith((b"#", b";")):
            kept = number
    return starts[-1].end() + len(b"".join(lines[: max(kept, 1)])) if lines else len(content)


def value_of(content: bytes, setting: Setting) -> str:
    """A value on one line."""
    return (
        re.sub(rb"\\\r?\n\s*", b" ", content[setting.start : setting.end]).decode("utf-8", "backslashreplace").strip()
    )
