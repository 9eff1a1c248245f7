"""zram-generator.conf: keys of one section, every other byte kept. Source: zram-generator.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

PATH = "/etc/systemd/zram-generator.conf"
DROP_IN = "/etc/systemd/zram-generator.conf.d/90-oomlens.conf"
_SECTION = re.compile(rb"\s*\[(?P<name>[^\]]*)\]\s*")
_KEY = re.compile(rb"(?P<before>\s*(?P<name>[^=#;\s]+)\s*=[ \t]*)(?P<value>.*?)(?P<after>\s*)", re.DOTALL)


def with_section(content: bytes, section: str, values: Mapping[str, str]) -> bytes:
    """The file with these keys in a section: a key that is there gets the value, the others come after its last line."""
    lines = _lines(content)
    begin, end = _bounds(lines, section.encode())
    left = dict(values)
    if begin is None:
        gap = b"\n" if content.strip() else b""
        return b"".join([*_ended(lines), gap, f"[{section}]\n".encode(), *_made(left)])
    last = begin
    for number in range(begin + 1, end):
        found = _KEY.fullmatch(lines[number])
        last = number if lines[number].strip() else last
        name = found["name"].decode("utf-8", "surrogateescape") if found else ""
        if found and name in left:
            lines[number] = found["before"] + left.pop(name).encode() + found["after"]
    return b"".join([*(_ended(lines[: last + 1]) if left else lines[: last + 1]), *_made(left), *lines[last + 1 :]])


def _made(values: Mapping[str, str]) -> list[bytes]:
    return [f"{name} = {value}\n".encode() for name, value in values.items()]


def _ended(lines: list[bytes]) -> list[bytes]:
    """With a line end after the last one."""
    return [*lines[:-1], lines[-1] + b"\n"] if lines and not lines[-1].endswith(b"\n") else lines


def _bounds(lines: list[bytes], section: bytes) -> tuple[int | None, int]:
    """Where the section begins, and the line after it; None where there is none."""
    heads = [
        (number, found["name"].strip()) for number, line in enumerate(lines) if (found := _SECTION.fullmatch(line))
    ]
    for index, (number, name) in enumerate(heads):
        if name == section:
            return number, heads[index + 1][0] if index + 1 < len(heads) else len(lines)
    return None, len(lines)


def _lines(content: bytes) -> list[bytes]:
    parts = content.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
