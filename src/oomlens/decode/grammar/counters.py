"""`key:value` lines, read generically: global counters (pages), Node and zone lines (kB); unknown keys are kept."""

from __future__ import annotations

import re
from typing import NamedTuple

# `shmem_thp: 0kB` has a blank up to 6.4, `reserved_highatomic:0KB` is upper case up to 7.2, `all_unreclaimable? yes`.
_TOKEN = re.compile(r"([A-Za-z_][\w]*(?:\([a-z_]+\))?)(?::\s?(-?\d+)(kB|KB)?(?![\w.])|\?\s+(yes|no)\b)")
_LINE = re.compile(r"^\s*(?:[a-z_]\w*(?:\([a-z_]+\))?(?::\s?-?\d+(?:kB|KB)?|\? (?:yes|no))(?:\s+|$))+$")
_PLACE = re.compile(r"^\s*(?:Node (\d+) )?(?:([A-Za-z]\w*) )?(?=[a-z_]+(?:\([a-z]+\))?:\s?-?\d)")
_COMPLETE_END = re.compile(r"(?:kB|KB|yes|no)\s*$")
_TOKEN_START = re.compile(r"^\s*[a-z_]\w*(?:\([a-z_]+\))?[:?]")


class CounterLine(NamedTuple):
    """The counters of one line. node and zone are what it begins with; unit is "pages" or "bytes".

    counters: in pages or bytes; `(` and `)` of `isolated(anon)` become `_`. Counts without a unit in a kB line
    (pages_scanned) are in `counts`.
    """

    node: int | None
    zone: str | None
    unit: str
    counters: dict[str, int]
    counts: dict[str, int]
    all_unreclaimable: bool | None


def read_counters(text: str) -> CounterLine | None:
    """A line that is nothing but `key:value` tokens behind an optional `Node N` and zone name; else None."""
    place = _PLACE.match(text)
    if place is None:
        return None
    body = text[place.end() :]
    if _LINE.match(body) is None:
        return None
    counters: dict[str, int] = {}
    counts: dict[str, int] = {}
    unreclaimable: bool | None = None
    in_bytes = False
    for key, number, unit, answer in _TOKEN.findall(body):
        name = key.replace("(", "_").replace(")", "")
        if answer:
            unreclaimable = answer == "yes"
        elif unit:
            in_bytes = True
            counters[name] = int(number) * 1024
        else:
            counts[name] = int(number)
    node = int(place[1]) if place[1] else None
    if in_bytes:
        return CounterLine(node, place[2], "bytes", counters, counts, unreclaimable)
    return CounterLine(node, place[2], "pages", counts, {}, unreclaimable)


def join_counters(text: str, tail: str) -> str:
    """Puts a hard-wrapped counter line together again: a blank between tokens, nothing inside one."""
    if _TOKEN_START.match(tail) and (_COMPLETE_END.search(text) or text.rstrip()[-1:].isdigit()):
        return f"{text.rstrip()} {tail.strip()}"
    return text.rstrip() + tail.strip()


_BLOCK = re.compile(r"(\d+)\*(\d+)kB(?: \(([A-Z]+)\))?")


def read_blocks(text: str) -> tuple[dict[int, int], dict[int, str], int | None]:
    """The free blocks of a buddy line: (order -> count, order -> migrate types, bytes of an order-0 block)."""
    counts: dict[int, int] = {}
    types: dict[int, str] = {}
    first: int | None = None
    for order, (count, size_kb, letters) in enumerate(_BLOCK.findall(text)):
        if order == 0:
            first = int(size_kb) * 1024
        counts[order] = int(count)
        if letters:
            types[order] = letters
    return counts, types, first


_STAT = re.compile(r"^\s*([a-z][\w.]*) (\d+)\s*$")
_STAT_KB = re.compile(r"(\w+):(\d+)KB")


def read_stat(text: str) -> tuple[str, int] | None:
    """A `name value` line of memory.stat (5.3+): bytes for sizes, counts for events, as printed."""
    found = _STAT.match(text)
    return (found[1], int(found[2])) if found else None


def read_stats_kb(text: str) -> dict[str, int]:
    """The one-line form `cache:0KB rss:12KB` (3.9-5.2), in bytes."""
    return {name: int(number) * 1024 for name, number in _STAT_KB.findall(text)}
