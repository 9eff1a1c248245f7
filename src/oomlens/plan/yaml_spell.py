"""How values are written in YAML: quoted where another reader would take them for something else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oomlens.model.yaml_text import Style

# str | int | bool | mapping | sequence of such; a recursive type would help nobody.
Wanted = Any

_PLAIN = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[A-Za-z]))[^,\[\]{}]*")
# What YAML 1.1 or 1.2 takes for a number, a time or a date: nothing but these characters.
_NUMBER_LIKE = re.compile(r"[-+]?[.0-9][-+.:_0-9a-fA-FoOxXTtZ ]*|[-+]?\.(?:inf|nan)", re.IGNORECASE)
_WORDS = frozenset(("", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"))
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Bare(str):
    """A word that need not be a string: a quantity or a number, written without quotes where there were none."""

    __slots__ = ()


class Layout(NamedTuple):
    """A file's own manners. step: columns a level is indented by. dash: columns that a list's `-` is indented by below its key."""

    step: int = 2
    dash: int = 0


def spelled(value: str | int, style: Style, *, json_style: bool = False) -> str:
    """A scalar as it is written in place of one of that style."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if json_style and not isinstance(value, Bare):
        return _double(value, json_style=True)
    if style is Style.SINGLE and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style in (Style.SINGLE, Style.DOUBLE) or (json_style and not value.isdecimal()):
        return _double(value, json_style=json_style)
    if _plain(value) and (isinstance(value, Bare) or not _means_something_else(value)):
        return str(value)
    return _double(value, json_style=json_style)


def flow(value: Wanted, *, json_style: bool = False) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        pairs = (
            f"{spelled(key, Style.PLAIN, json_style=json_style)}: {flow(one, json_style=json_style)}"
            for key, one in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow(one, json_style=json_style) for one in value) + "]"
    return spelled(value, Style.PLAIN, json_style=json_style)


def lines_of(value: Mapping[str, Wanted], column: int, layout: Layout) -> list[str]:
    """A mapping as block lines, indented to a column."""
    return [" " * column + line for line in _mapping(value, layout)]


def item_lines(value: Wanted, column: int, layout: Layout) -> list[str]:
    """A list item as block lines, its `-` at a column."""
    return [" " * column + line for line in _item(value, layout)]


def _mapping(value: Mapping[str, Wanted], layout: Layout) -> Iterator[str]:
    for key, one in value.items():
        name = spelled(key, Style.PLAIN)
        if isinstance(one, Mapping) and one:
            yield f"{name}:"
            for line in _mapping(one, layout):
                yield " " * layout.step + line
        elif isinstance(one, Sequence) and not isinstance(one, str) and one:
            yield f"{name}:"
            for item in one:
                for line in _item(item, layout):
                    yield " " * layout.dash + line
        else:
            yield f"{name}: {flow(one)}"


def _item(value: Wanted, layout: Layout) -> Iterator[str]:
    if not isinstance(value, Mapping) or not value:
        yield f"- {flow(value)}"
        return
    for number, line in enumerate(_mapping(value, layout)):
        yield ("- " if number == 0 else "  ") + line


def _plain(value: str) -> bool:
    """Whether it can stand without quotes anywhere, also between brackets."""
    return (
        _PLAIN.fullmatch(value) is not None
        and value.isprintable()
        and ": " not in value
        and " #" not in value
        and value[-1:] not in (" ", ":")
        and len(value) <= 1000  # longer ones are no simple keys
    )


def _means_something_else(value: str) -> bool:
    return value.lower() in _WORDS or value == "~" or _NUMBER_LIKE.fullmatch(value) is not None


def _double(value: str, *, json_style: bool) -> str:
    if json_style:
        return re.sub(
            r"[\x7f-\x9f\u2028\u2029\ufeff]",
            lambda found: f"\\u{ord(found[0]):04x}",
            json.dumps(value, ensure_ascii=False),
        )
    return (
        '"'
        + "".join(_ESCAPES.get(each) or (each if each.isprintable() else _escape(ord(each))) for each in value)
        + '"'
    )


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
