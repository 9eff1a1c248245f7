"""Amounts as people write them in the configuration, and back."""

from __future__ import annotations

import re

from oomlens.guard.config.problems import WrongError
from oomlens.i18n import message

# [fraction of all, at most kB, at least kB]: contract of the table.
Level = list[float | int | None]

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%", re.ASCII)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([KMGT])(?:i?B)?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)\s*(ms|s|m|h)", re.ASCII)
_KB = {"k": 1, "m": 1 << 10, "g": 1 << 20, "t": 1 << 30}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_LEVEL_HINT = message('write it as "10%", "10%, at most 1G" or "300M"')


def read_share(value: object) -> float:
    """ "50%" → 0.5."""
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise WrongError(
            message("{value} is not a percentage"), message('write it in quotes with its sign: "10%"'), value=value
        )
    percent = float(found[1])
    if percent > 100:
        raise WrongError(message("{value} is more than all"), message("a percentage is from 0% to 100%"), value=value)
    return percent / 100


def read_kb(value: object) -> int:
    """ "64M" → 65536."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise WrongError(
            message("{value} is not a size"), message('write it in quotes with its unit: "64M", "1.5G"'), value=value
        )
    kb = int(float(found[1]) * _KB[found[2].lower()])
    if kb >= 1 << 50:
        raise WrongError(message("{value} is more than any machine has"), message("write a smaller size"), value=value)
    return kb


def read_seconds(value: object) -> float:
    """ "2s" → 2.0."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise WrongError(
            message("{value} is not a time"),
            message('write it in quotes with its unit: "500ms", "2s", "1m"'),
            value=value,
        )
    return float(found[1]) * _SECONDS[found[2]]


def read_level(value: object) -> Level:
    """ "10%, at most 1G" → [0.1, 1048576, None]; "300M" → [1.0, 307200, None]; "0%" is never reached."""
    if not isinstance(value, str):
        raise WrongError(message("{value} is not an amount of memory"), _LEVEL_HINT, value=value)
    first, *rest = [part.strip() for part in value.split(",")]
    most: int | None = None
    least: int | None = None
    if _SIZE.fullmatch(first):
        if rest:
            raise WrongError(message("{value}: a size takes no bounds"), _LEVEL_HINT, value=value)
        return [1.0, read_kb(first), None]
    if not _PERCENT.fullmatch(first):
        raise WrongError(message("{value} is not an amount of memory"), _LEVEL_HINT, value=value)
    fraction = read_share(first)
    for part in rest:
        words = part.split(None, 2)
        if words[:2] == ["at", "most"] and len(words) == 3 and most is None:
            most = read_kb(words[2])
        elif words[:2] == ["at", "least"] and len(words) == 3 and least is None:
            least = read_kb(words[2])
        else:
            raise WrongError(message("{value}: {part} is not understood"), _LEVEL_HINT, value=value, part=part)
    if most is not None and least is not None and least > most:
        raise WrongError(
            message("{value}: at least is more than at most"), message("make at least the smaller one"), value=value
        )
    return [fraction, most, least]


def level_at(level: Level, total_kb: float) -> float:
    """What a level means on a machine with so much memory (as the loop computes it)."""
    fraction, most, least = level
    limit = (fraction or 0) * total_kb
    limit = limit if most is None else min(limit, most)
    return limit if least is None else max(limit, least)


def size_text(kb: float) -> str:
    """65536 → "64M"."""
    for unit, factor in (("T", 1 << 30), ("G", 1 << 20), ("M", 1 << 10)):
        if kb >= factor:
            return f"{kb / factor:.3f}".rstrip("0").rstrip(".") + unit
    return f"{kb:.0f}K"
