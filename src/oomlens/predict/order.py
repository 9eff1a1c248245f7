"""Rows in the order and choice that a person asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from oomlens.model.report import CgroupNames
from oomlens.predict.view import CgroupRow, ProcessRow

Number = float | int | None


class Sort(NamedTuple):
    """value: what is compared, None for unknown; falling: whether the largest comes first."""

    value: Callable[[ProcessRow], Number | str]
    falling: bool = True


PROCESS_SORTS: Mapping[str, Sort] = {
    "badness": Sort(lambda row: row.suspect.points_bytes if row.suspect is not None else None),
    "rss": Sort(lambda row: row.process.rss_bytes),
    "pss": Sort(lambda row: row.process.pss_bytes),
    "swap": Sort(lambda row: row.process.swap_bytes),
    "growth": Sort(lambda row: row.growth),
    "left": Sort(lambda row: row.left_bytes, falling=False),
    "adj": Sort(lambda row: row.process.oom_score_adj),
    "pid": Sort(lambda row: row.process.pid, falling=False),
    "name": Sort(lambda row: row.process.comm.lower(), falling=False),
}


class CgroupSort(NamedTuple):
    """As `Sort`, for siblings in the tree."""

    value: Callable[[CgroupRow], Number | str]
    falling: bool = True


CGROUP_SORTS: Mapping[str, CgroupSort] = {
    "share": CgroupSort(lambda row: row.share),
    "used": CgroupSort(lambda row: row.usage.current_bytes),
    "held": CgroupSort(lambda row: row.held_bytes),
    "swap": CgroupSort(lambda row: row.usage.swap_current_bytes),
    "growth": CgroupSort(lambda row: row.growth),
    "left": CgroupSort(lambda row: row.left_bytes, falling=False),
    "kills": CgroupSort(lambda row: row.usage.events.get("oom_kill")),
    "name": CgroupSort(lambda row: row.usage.path.lower(), falling=False),
}


def ordered_processes(rows: Sequence[ProcessRow], key: str, *, reverse: bool = False) -> list[ProcessRow]:
    """Sorted; equal ones by size, unknown ones always last."""
    sort = PROCESS_SORTS[key]
    by_size = sorted(rows, key=lambda row: (-(row.process.rss_bytes or 0), row.process.pid))
    if key == "badness":
        # The kernel's own order, ties included.
        by_size.sort(key=lambda row: row.place if row.place is not None else len(rows) + 1)
    known = [row for row in by_size if sort.value(row) is not None]
    unknown = [row for row in by_size if sort.value(row) is None]
    known.sort(key=lambda row: _comparable(sort.value(row)), reverse=sort.falling != reverse)
    return [*known, *unknown]


def _comparable(value: Number | str) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value or 0), "")


def matching(rows: Sequence[ProcessRow], text: str, users: Mapping[int, str]) -> list[ProcessRow]:
    """Those with every word of the text in their name, command line, pid, user, cgroup or its names; case does not matter."""
    words = text.lower().split()
    if not words:
        return list(rows)
    return [row for row in rows if all(word in _haystack(row, users) for word in words)]


def _haystack(row: ProcessRow, users: Mapping[int, str]) -> str:
    process = row.process
    parts = [process.comm, *(process.cmdline or ()), str(process.pid), process.cgroup or "", *_words(row.names)]
    if process.uid is not None:
        parts.append(users.get(process.uid, str(process.uid)))
    return "\n".join(parts).lower()


def _words(names: CgroupNames | None) -> list[str]:
    if names is None:
        return []
    parts = (names.unit, names.slice, names.container_id, names.container_name, names.pod_uid, names.job, names.app)
    return [part for part in parts if part is not None]


def first_closed(rows: Sequence[CgroupRow]) -> set[str]:
    """What is closed at first: everything but the top and the way to limits and kills."""
    parents = {row.usage.path: row.parent for row in rows}
    wanted: set[str | None] = {None}
    for row in rows:
        if row.usage.max_bytes is not None or row.usage.events.get("oom_kill"):
            above = row.parent
            while above is not None:
                wanted.add(above)
                above = parents.get(above)
    return {row.usage.path for row in rows if row.children and row.depth > 0 and row.usage.path not in wanted}


def ordered_cgroups(
    rows: Sequence[CgroupRow], key: str, *, reverse: bool = False, closed: Collection[str] = (), text: str = ""
) -> list[CgroupRow]:
    """The tree with siblings sorted by the best value in each branch; closed branches left out, or all that does not match.

    text: only cgroups with every word in their path or names, and what is above them.
    """
    sort = CGROUP_SORTS[key]
    chosen = _matching_branches(rows, text)
    below: dict[str | None, list[CgroupRow]] = {}
    for row in rows:
        if chosen is None or row.usage.path in chosen:
            below.setdefault(row.parent, []).append(row)
    falling = sort.falling != reverse
    best: dict[str, tuple[float, str] | None] = {}
    for row in reversed(rows):  # children come after their parent, so they are known first
        value = sort.value(row)
        values = [] if value is None else [_comparable(value)]
        if key != "name":
            values += [each for child in below.get(row.usage.path, ()) if (each := best.get(child.usage.path))]
        best[row.usage.path] = (max(values) if falling else min(values)) if values else None
    found: list[CgroupRow] = []
    waiting = _sorted(below.get(None, []), best, falling=falling)[::-1]
    while waiting:
        row = waiting.pop()
        found.append(row)
        if row.usage.path not in closed or chosen is not None:
            waiting += _sorted(below.get(row.usage.path, []), best, falling=falling)[::-1]
    return found


def _sorted(
    rows: Sequence[CgroupRow], best: Mapping[str, tuple[float, str] | None], *, falling: bool
) -> list[CgroupRow]:
    by_size = sorted(rows, key=lambda row: (-(row.usage.current_bytes or 0), row.usage.path))
    known = [row for row in by_size if best[row.usage.path] is not None]
    known.sort(key=lambda row: best[row.usage.path] or (0.0, ""), reverse=falling)
    return [*known, *(row for row in by_size if best[row.usage.path] is None)]


def _matching_branches(rows: Sequence[CgroupRow], text: str) -> set[str] | None:
    words = text.lower().split()
    if not words:
        return None
    parents = {row.usage.path: row.parent for row in rows}
    found: set[str] = set()
    for row in rows:
        haystack = "\n".join([row.usage.path, *_words(row.usage.names)]).lower()
        if all(word in haystack for word in words):
            path: str | None = row.usage.path
            while path is not None:
                found.add(path)
                path = parents.get(path)
    return found
