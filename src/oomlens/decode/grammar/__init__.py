"""The kernel's lines as data, and the one function that reads a line.

Adding a line: a row in the file of its subject, with samples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from oomlens.decode.grammar import headline, memcg, meminfo, tasks, verdict
from oomlens.decode.grammar.counters import CounterLine, read_counters
from oomlens.decode.grammar.row import Fact, LineRow

ROWS: tuple[LineRow, ...] = (
    *headline.ROWS,
    *memcg.ROWS,
    *meminfo.ROWS,
    *verdict.ROWS,
)

_Reader = tuple[str, Callable[[str], Fact | None], bool, bool]


class Reading(NamedTuple):
    """What a text is: a fact, a counter line, a table header or row; `started` where it begins one and does not end it."""

    fact: Fact | None = None
    counters: CounterLine | None = None
    table: str | None = None  # "announcement", "header" or "row"
    started: bool = False
    extendable: bool = False
    weak: bool = False


NOTHING = Reading()
_STARTED = Reading(started=True)
_ANNOUNCEMENT = Reading(table="announcement")
_HEADER = Reading(table="header")
ROW = Reading(table="row", extendable=True)


def _readers(ids: tuple[str, ...]) -> tuple[_Reader, ...]:
    by_id: Mapping[str, LineRow] = {row.id: row for row in ROWS}
    rows = [by_id[name] for name in ids]
    return tuple((row.needle, row.compiled(), row.extendable, row.weak) for row in rows)


# Which rows can begin with a word; what begins with a process name is looked for by its needle instead.
_BY_WORD: Mapping[str, tuple[_Reader, ...]] = {
    word: _readers(ids)
    for word, ids in {
        "Backtrace": ("trace",),
        "CPU": ("cpu", "cpu-short"),
        "Call": ("trace",),
        "Free": ("swap-total",),
        "Hardware": ("hardware",),
        "Kernel": ("no-killable", "panic"),
        "Kill": ("choice", "sharing", "choice-cut"),
        "Killed": ("killed", "killed-cut"),
        "Linux": ("release",),
        "Mem": ("mem-info",),
        "Memory": (
            "choice",
            "killed",
            "stats-line",
            "stats",
            "limit-reached",
            "protection",
            "allocations",
            "exiting",
            "killed-cut",
            "choice-cut",
        ),
        "No": ("choice", "killed", "killed-cut", "choice-cut"),
        "Node": ("buddy", "hugepages"),
        "Out": ("choice", "killed", "no-killable", "exiting", "killed-cut", "choice-cut"),
        "PID": ("cpu", "cpu-short"),
        "Pid": ("cpu", "cpu-short"),
        "Swap": ("swap-cache",),
        "SysRq": ("sysrq",),
        "Task": ("limit-of",),
        "Tasks": ("group",),
        "Total": ("swap-total",),
        "UID": ("cpu", "cpu-short"),
        "Unreclaimable": ("slab-info",),
        "Workqueue": ("workqueue",),
        "Would": ("would-have",),
        "dump_header": ("suppressed",),
        "hugepages_total": ("hugepages",),
        "kmem": ("usage",),
        "lowmem_reserve": ("lowmem-reserve",),
        "memory": ("usage",),
        "oom": ("summary", "pinned", "summary-cut"),
        "oom_kill_process": ("suppressed",),
        "oom_reaper": ("reaped", "not-reaped"),
        "out_of_memory": ("suppressed",),
        "swap": ("usage",),
        "sysrq": ("sysrq",),
    }.items()
}
_BY_NEEDLE = _readers(("invoked", "invoked-bare", "cpuset", "allocation-failure", "invoked-cut"))
_NUMBERS = _readers(("total-pages", "allocation"))
_SLAB = _readers(("slab",))
_BUDDY = _readers(("buddy",))
_PANIC = _readers(("no-killable", "panic"))
_WORD = re.compile(r"\s*([A-Za-z_]+|\[|\d|-)")
_BUDDY_START = re.compile(r"^\s*(?:Node \d+ )?\w+: \d+\*\d+kB")
# Lines that no other program prints this way: also where something unknown stands in front (a broken header).
_BEHIND_NOISE = re.compile(
    r"[:\]>] ?(?=(?:Memory cgroup out of memory|Out of memory): Killed process \d+ \(|oom-kill:constraint=)"
)


def _try(readers: tuple[_Reader, ...], text: str) -> Reading | None:
    started = False
    for needle, read, extendable, weak in readers:
        if needle in text:
            fact = read(text)
            if fact is not None:
                return Reading(fact=fact, extendable=extendable, weak=weak)
            started = True
    return _STARTED if started else None


def read_line(text: str) -> Reading:
    """What one line of the kernel's says; `NOTHING` where it is not one of ours. Never raises."""
    begun = False
    if " invoked" in text or " cpuset=" in text or ": page allocation " in text:
        found = _try(_BY_NEEDLE, text)
        if found is not None and found.fact is not None:
            return found
        begun = found is not None  # or a process is called so
    word_match = _WORD.match(text)
    if word_match is None:
        return _STARTED if begun else NOTHING
    word = word_match[1]
    if word == "[":
        return _read_bracket(text)
    readers = _BY_WORD.get(word)
    if readers is not None:
        found = _try(readers, text)
        if found is not None and found.fact is not None:
            return found
        started = begun or found is not None or _begins(word, text)
    else:
        started = begun
    return _read_rest(text, word, started)


def _begins(word: str, text: str) -> bool:
    """A headline broken before its needle: `Memory cgroup out of` / `Out of memory: Killed`."""
    stripped = text.strip()
    return (
        (word == "Memory" and "Memory cgroup out of memory: Killed process ".startswith(stripped[:44]))
        or (word == "Out" and "Out of memory: Killed process ".startswith(stripped[:30]))
        or (word in ("Killed", "Kill") and stripped == word)
        or (word == "Task" and text.lstrip().startswith("Task in /"))
    )


def _read_bracket(text: str) -> Reading:
    if tasks.ROW_START.match(text):
        return ROW
    if tasks.HEADER.match(text):
        return _HEADER
    if tasks.HEADER_START.match(text):
        return _STARTED
    return NOTHING


def _read_rest(text: str, word: str, started: bool) -> Reading:
    if ":" in text:
        counters = read_counters(text)
        if counters is not None:
            return Reading(counters=counters, extendable=True)
        if "kB" in text and _BUDDY_START.match(text):
            return _try(_BUDDY, text) or _STARTED
    if word == "Tasks" and text.strip() == tasks.ANNOUNCEMENT:
        return _ANNOUNCEMENT
    if word == "-":
        return _try(_PANIC, text) or NOTHING if "Kernel panic" in text else NOTHING
    if word.isdigit():
        found = _try(_NUMBERS, text)
        return found if found is not None and found.fact is not None else NOTHING
    if "KB" in text:
        found = _try(_SLAB, text)
        if found is not None and found.fact is not None:
            return found
    behind = _BEHIND_NOISE.search(text) if "Killed process" in text or "oom-kill:" in text else None
    if behind is not None:
        found = _try(
            _BY_WORD["oom"] if text.startswith("oom-kill", behind.end()) else _BY_WORD["Out"] + _BY_WORD["Memory"],
            text[behind.end() :],
        )
        if found is not None and found.fact is not None:
            return found
    return _STARTED if started else NOTHING
