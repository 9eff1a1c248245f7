"""Globs of the configuration: refused where they could never match anything."""

from __future__ import annotations

from oomlens.guard.config.problems import WrongError
from oomlens.i18n import message

_LONGEST = 500
_COMM_BYTES = 15  # TASK_COMM_LEN less its end
_UNIT_KINDS = (".service", ".scope")  # the kinds that hold processes


def read_glob(value: object) -> str:
    """`*`, `?`, `[abc]`, `[!a-z]`; anything else stands for itself."""
    if not isinstance(value, str):
        raise WrongError(message("{value} is not a text"), message('write it in quotes: "nginx*"'), value=value)
    if not value:
        raise WrongError(message("an empty pattern matches nothing"), message("write a pattern, or leave the key away"))
    if len(value) > _LONGEST or "\0" in value:
        raise WrongError(
            message("{value} can match nothing"), message("write a pattern of at most 500 characters"), value=value
        )
    at = 0
    while (at := value.find("[", at)) >= 0:
        inside_from = at + 2 if value[at + 1 : at + 2] == "!" else at + 1
        end = value.find("]", inside_from + 1)
        if end < 0:
            raise WrongError(
                message("{value}: a [ without its ]"),
                message("close it, or write ? for any one character"),
                value=value,
            )
        inside = value[inside_from:end]
        for position in range(len(inside) - 2):
            if inside[position + 1] == "-" and inside[position] > inside[position + 2]:
                raise WrongError(message("{value}: {part} is an empty range"), message("write the smaller one first, as in [a-z]"),
                            value=value, part=inside[position : position + 3])  # fmt: skip
        at = end + 1
    return value


def least_bytes(pattern: str) -> int:
    """The least length of what a pattern matches."""
    total = at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            at = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "!" else 2))
            total += 1
        elif pattern[at] != "*":
            total += 1 if pattern[at] == "?" else len(pattern[at].encode("utf-8", "replace"))
        at += 1
    return total


def read_name(value: object) -> str:
    """A pattern for comm."""
    pattern = read_glob(value)
    if least_bytes(pattern) > _COMM_BYTES:
        raise WrongError(message("{value}: the kernel keeps 15 bytes of a process's name, so this never matches"),
                    message("shorten it with a *, or use exe or cmdline"), value=value)  # fmt: skip
    return pattern


def read_path_glob(value: object) -> str:
    """A pattern for exe or a cgroup: an absolute path."""
    pattern = read_glob(value)
    if pattern[0] not in "/*?[":
        raise WrongError(
            message("{value} never matches: such a path begins with /"),
            message("write /{value} or */{value}"),
            value=value,
        )
    if "//" in pattern:
        raise WrongError(
            message("{value} never matches: no path has // in it"), message("write a single /"), value=value
        )
    if len(pattern) > 1 and pattern.endswith("/"):
        raise WrongError(
            message("{value} never matches: no path ends with /"),
            message("leave the last / away, or write /* for what is below"),
            value=value,
        )
    return pattern


def read_unit(value: object) -> str:
    """A pattern for a systemd unit that holds processes."""
    pattern = read_glob(value)
    if "/" in pattern:
        raise WrongError(
            message("{value} never matches: a unit has no / in its name"),
            message("write the unit as systemctl shows it, or use cgroup"),
            value=value,
        )
    tail = pattern[max(pattern.rfind(wild) for wild in "*?]") + 1 :]
    open_tail = len(tail) < len(pattern)
    fits = any(tail.endswith(kind) or (open_tail and kind.endswith(tail)) for kind in _UNIT_KINDS)
    if not fits:
        raise WrongError(message("{value} never matches: processes are in units that end with .service or .scope"),
                    message("write {value}.service, or *{value}*"), value=value)  # fmt: skip
    return pattern


def matches_all(pattern: object) -> bool:
    """Whether it says nothing: only stars."""
    return isinstance(pattern, str) and not pattern.strip("*")
