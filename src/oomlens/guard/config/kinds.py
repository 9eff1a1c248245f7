"""The kinds of values: how each is read, what its schema is, and what people call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from oomlens.guard.config import amounts, patterns
from oomlens.guard.config.problems import WrongError, near
from oomlens.i18n import message

_MOST_ITEMS = 200


class Kind(NamedTuple):
    """read raises WrongError. unit: for the manual."""

    unit: str
    read: Callable[[object], Any]
    schema: Mapping[str, Any]


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongError(
            message("{value} is neither true nor false"), message("write true or false, without quotes"), value=value
        )
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise WrongError(message("{value} is not a text"), message("write it in quotes"), value=value)
    if "\0" in value or len(value) > 4000:
        raise WrongError(message("{value} is no usable text"), message("write a shorter one, without NUL"), value=value)
    return value


def _read_path(value: object) -> str:
    path = _read_text(value)
    if path and not path.startswith("/"):
        raise WrongError(
            message("{value} is not an absolute path"), message('begin it with /, or write "" for none'), value=value
        )
    return path


def _read_url(value: object) -> str:
    url = _read_text(value)
    # "@/path": the address stands in that file, and so not in the list of processes.
    if url and (not url.startswith(("https://", "http://", "@/")) or any(letter.isspace() for letter in url)):
        raise WrongError(
            message("{value} is not a web address"),
            message('begin it with https://, or name a file that holds it: "@/etc/oomlens/url"; write "" for none'),
            value=value,
        )
    return url


def _read_argv(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) and "\0" not in word for word in value):
        raise WrongError(
            message("{value} is not a list of texts"),
            message('write the program and each argument by itself: ["/usr/bin/logger", "low"]'),
            value=value,
        )
    if value and not value[0].startswith("/"):
        raise WrongError(
            message("{value} is not an absolute path"),
            message("a program is named by its whole path; no shell looks it up"),
            value=value[0],
            index=0,
        )
    return _list(value)


def _list(value: list[Any]) -> list[Any]:
    if len(value) > _MOST_ITEMS:
        raise WrongError(message("a list of {count} is too long"), message("write at most 200"), count=len(value))
    return list(value)


def words(allowed: Sequence[str]) -> Kind:
    """One of these."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        meant = near(value, allowed) if isinstance(value, str) else None
        if meant is not None:
            raise WrongError(
                message("{value} is not known here"), message("did you mean {meant}?"), value=value, meant=meant
            )
        raise WrongError(
            message("{value} is not known here"),
            message("write one of: {allowed}"),
            value=value,
            allowed=", ".join(allowed),
        )

    return Kind(" | ".join(f'"{word}"' for word in allowed), read, {"enum": list(allowed)})


def some(allowed: Sequence[str]) -> Kind:
    """A list of some of these."""
    one = words(allowed)
    return listed(one, "list of " + one.unit)


def listed(one: Kind, unit: str) -> Kind:
    """A list of a kind, each once."""

    def read(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise WrongError(message("{value} is not a list"), message("write it in brackets: [ … ]"), value=value)
        found: list[Any] = []
        for index, item in enumerate(_list(value)):
            try:
                read_item = one.read(item)
            except WrongError as wrong:
                raise WrongError(wrong.text, wrong.hint, **{**wrong.values, "index": index}) from None
            if read_item in found:
                raise WrongError(
                    message("{value} is there twice"), message("take one of them out"), value=item, index=index
                )
            found.append(read_item)
        return found

    return Kind(unit, read, {"type": "array", "items": dict(one.schema), "uniqueItems": True, "maxItems": _MOST_ITEMS})


def whole(least: int, most: int, unit: str) -> Kind:
    """A whole number."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongError(
                message("{value} is not a whole number"),
                message("write a number from {least} to {most}, without quotes"),
                value=value,
                least=least,
                most=most,
            )
        if not least <= value <= most:
            raise WrongError(
                message("{value} is out of range"),
                message("write a number from {least} to {most}, without quotes"),
                value=value,
                least=least,
                most=most,
            )
        return value

    return Kind(unit, read, {"type": "integer", "minimum": least, "maximum": most})


def seconds(least: float, most: float) -> Kind:
    """A time within bounds."""

    def read(value: object) -> float:
        found = amounts.read_seconds(value)
        if not least <= found <= most:
            raise WrongError(
                message("{value} is out of range"),
                message("write a time from {least}s to {most}s"),
                value=value,
                least=f"{least:g}",
                most=f"{most:g}",
            )
        return found

    return Kind("time", read, {"type": "string", "pattern": r"^\s*[0-9]{1,7}(\.[0-9]{1,3})?\s*(ms|s|m|h)\s*$"})


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e9:
        raise WrongError(
            message("{value} is not a rate"), message("write a number, 0 or more, without quotes"), value=value
        )
    return float(value)


_SHARE = r"[0-9]{1,3}(\.[0-9]{1,4})?\s*%"
_SIZE = r"[0-9]{1,9}(\.[0-9]{1,3})?\s*[KMGTkmgt]([Ii]?[Bb])?"
LEVEL = Kind(
    "memory",
    amounts.read_level,
    {"type": "string", "pattern": rf"^\s*({_SIZE}|{_SHARE}(\s*,\s*at\s+(most|least)\s+{_SIZE}){{0,2}})\s*$"},
)
SHARE = Kind("percent", amounts.read_share, {"type": "string", "pattern": rf"^\s*{_SHARE}\s*$"})
SIZE = Kind("size", amounts.read_kb, {"type": "string", "pattern": rf"^\s*{_SIZE}\s*$"})
RATE = Kind("per second", _rate, {"type": "number", "minimum": 0, "maximum": 1e9})
FLAG = Kind("true | false", _read_flag, {"type": "boolean"})
TEXT = Kind("text", _read_text, {"type": "string", "maxLength": 4000})
PATH = Kind("path", _read_path, {"type": "string", "pattern": "^(/.*)?$", "maxLength": 4000})
URL = Kind("web address", _read_url, {"type": "string", "pattern": r"^((https?://|@/)\S+)?$", "maxLength": 4000})
ARGV = Kind(
    "program and arguments", _read_argv, {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_ITEMS}
)
GLOB = Kind("pattern", patterns.read_glob, {"type": "string", "minLength": 1, "maxLength": 500})
NAME = Kind("pattern", patterns.read_name, GLOB.schema)
PATH_GLOB = Kind("pattern of a path", patterns.read_path_glob, GLOB.schema)
UNIT = Kind("pattern", patterns.read_unit, GLOB.schema)
CGROUPS = listed(PATH_GLOB, "list of patterns")
