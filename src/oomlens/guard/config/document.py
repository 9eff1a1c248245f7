"""A configuration file's bytes → TOML values with their places, or what is wrong with the TOML."""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

from oomlens.guard.config.places import Place, Places, places_of
from oomlens.guard.config.problems import ConfigError, Problem
from oomlens.i18n import message

MOST_BYTES = 1 << 20
_DEEPEST = 40
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
# What tomllib says, and what a person may try.
_HINTS = (
    ("Cannot overwrite a value", message("this key is there twice; take one out")),
    ("Cannot declare", message("this table is there twice; put its keys together")),
    ("Expected '=' after a key", message("write key = value")),
    ("Expected ']", message("close the bracket")),
    ("Unclosed array", message("close the bracket")),
    ("Unclosed inline table", message("close the bracket")),
    ("Expected newline", message("begin a new line after the value; a text is written in quotes")),
    ("Invalid value", message("a text is written in quotes; true, false and numbers are not")),
    ("Invalid statement", message("a line is key = value, [table] or # a comment")),
    ("Unterminated string", message("close the quotes")),
    ("Illegal character", message("close the quotes, or write \\n for a line's end")),
    ("Unescaped", message("write \\\\ for a backslash, or use single quotes: '…'")),
)
_HINT = message("see the TOML manual: https://toml.io")


class Document(NamedTuple):
    """values: what tomllib gives."""

    values: dict[str, Any]
    places: Places


def read_document(file: str, content: bytes) -> Document:
    """Raises ConfigError."""
    if len(content) > MOST_BYTES:
        raise ConfigError(
            file, [Problem(Place(1, 1), message("the file is longer than 1 MiB"), message("is it the right file?"), {})]
        )
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace").replace("\r\n", "\n")
        raise ConfigError(
            file, [Problem(_end(before), message("this is not UTF-8"), message("save the file as UTF-8"), {})]
        ) from None
    deep = _too_deep(text)
    try:
        if deep is not None:
            raise RecursionError
        return Document(tomllib.loads(text), places_of(text))
    except RecursionError:
        raise ConfigError(
            file,
            [
                Problem(
                    deep or Place(1, 1),
                    message("brackets within brackets too deep"),
                    message("is it the right file?"),
                    {},
                )
            ],
        ) from None
    except ValueError as error:  # also what int() and datetime say
        raise ConfigError(file, [_problem(str(error), text)]) from None


def _problem(said: str, text: str) -> Problem:
    found = _AT.search(said)
    detail = said[: found.start()] if found else said
    place = Place(int(found[1]), int(found[2])) if found and found[1] else _end(text) if found else _odd_value(text)
    hint = next((hint for start, hint in _HINTS if detail.startswith(start)), _HINT)
    return Problem(place, message("not valid TOML: {detail}"), hint, {"detail": detail})


def _end(text: str) -> Place:
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _odd_value(text: str) -> Place:
    """tomllib does not say where a number is too long: the first line at which reading fails."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError):
            return Place(number, 1)
    return Place(1, 1)


def _too_deep(text: str) -> Place | None:
    """Brackets are counted as if none were in a text: forty open ones are no configuration of ours."""
    depth = 0
    for found in re.finditer(r"[\[\]{}]|\n(?=[ \t]*[A-Za-z\[])", text):
        mark = found[0]
        depth = 0 if mark == "\n" else depth + 1 if mark in "[{" else max(0, depth - 1)
        if depth > _DEEPEST:
            return _end(text[: found.start()])
    return None
