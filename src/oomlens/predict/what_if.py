"""A snapshot as it would be after a change: a process grows, a score, a limit or the swap is set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from oomlens.kernel.badness import UNKILLABLE
from oomlens.kernel.sizes import bytes_of
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot
from oomlens.predict.tree import charged

_CHANGE = re.compile(r"(?:(?P<kind>pid|adj|limit):)?(?P<object>.+?)=(?P<value>[^=]+)")


class WhatIfError(ValueError):
    """A change that cannot be understood or carried out; code: syntax, size, adj, no-pid, no-cgroup, several-cgroups, no-sizes."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Amount(NamedTuple):
    """bytes: None for "max". relative: to be added to what is there."""

    bytes: int | None
    relative: bool = False

    def applied(self, value: int) -> int:
        """The new value; never below 0."""
        assert self.bytes is not None
        return max(0, value + self.bytes if self.relative else self.bytes)


@dataclass(frozen=True, slots=True)
class Change:
    """kind: pid, adj, limit or swap. target: a pid or a cgroup's path, unit or container; "" for swap."""

    kind: str
    target: str
    amount: Amount


def parse_change(text: str) -> Change:
    """`1234=+2G`, `adj:1234=-500`, `limit:/a/b=1G` (or a unit, or a container, or `=max`), `swap=4G`, `swap=+4G`.

    Sizes are binary: 1G is 2^30 bytes. Raises WhatIfError.
    """
    found = _CHANGE.fullmatch(text.strip())
    if found is None:
        raise WhatIfError("syntax", text)
    kind, target, value = found["kind"], found["object"].strip(), found["value"].strip()
    if kind is None:
        kind = "swap" if target == "swap" else "pid"
    if kind in ("pid", "adj") and not target.isdecimal():
        raise WhatIfError("syntax", text)
    if kind == "adj":
        return Change(kind, target, Amount(_adj(value)))
    if kind == "limit" and value == "max":
        return Change(kind, target, Amount(None))
    return Change(kind, "" if kind == "swap" else target, _amount(value))


def _adj(value: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,4}", value) or not UNKILLABLE <= int(value) <= -UNKILLABLE:
        raise WhatIfError("adj", value)
    return int(value)


def _amount(value: str) -> Amount:
    sign = value[:1] if value[:1] in ("+", "-") else ""
    size = bytes_of(value[len(sign) :])
    if size is None:
        raise WhatIfError("size", value)
    return Amount(-size if sign == "-" else size, bool(sign))


def apply_changes(snapshot: Snapshot, changes: Iterable[Change]) -> Snapshot:
    """The snapshot after all changes, one after the other. Raises WhatIfError where a process or cgroup is not there."""
    for change in changes:
        snapshot = _APPLY[change.kind](snapshot, change)
    return snapshot


def _process(snapshot: Snapshot, change: Change) -> Process:
    for process in snapshot.processes:
        if process.pid == int(change.target):
            return process
    raise WhatIfError("no-pid", change.target)


def _with_process(snapshot: Snapshot, new: Process) -> Snapshot:
    return replace(
        snapshot, processes=tuple(new if process.pid == new.pid else process for process in snapshot.processes)
    )


def _set_adj(snapshot: Snapshot, change: Change) -> Snapshot:
    process = _process(snapshot, change)
    # The kernel's own figure was about the old value.
    return _with_process(snapshot, replace(process, oom_score_adj=change.amount.bytes, oom_score=None))


def _grow(snapshot: Snapshot, change: Change) -> Snapshot:
    process = _process(snapshot, change)
    if process.rss_bytes is None:
        raise WhatIfError("no-sizes", change.target)
    rss = change.amount.applied(process.rss_bytes)
    more = rss - process.rss_bytes
    anon = None if process.rss_anon_bytes is None else max(0, process.rss_anon_bytes + more)
    pages = process.stat_rss_pages
    pages = None if pages is None else max(0, pages + more // snapshot.host.page_size)
    grown_process = replace(process, rss_bytes=rss, rss_anon_bytes=anon, stat_rss_pages=pages, oom_score=None)
    snapshot = _with_process(snapshot, grown_process)
    usages = {usage.path: usage for usage in snapshot.cgroups}
    grown = {path: _grown(usages[path], more) for path in charged(process.cgroup, usages) if path in usages}
    return replace(
        snapshot,
        host=replace(snapshot.host, meminfo=_taken(snapshot.host.meminfo, more)),
        cgroups=tuple(grown.get(usage.path, usage) for usage in snapshot.cgroups),
    )


def _grown(usage: CgroupUsage, more: int) -> CgroupUsage:
    current, memsw = usage.current_bytes, usage.memsw_current_bytes
    return replace(
        usage,
        current_bytes=None if current is None else max(0, current + more),
        memsw_current_bytes=None if memsw is None else max(0, memsw + more),
    )


def _taken(meminfo: Mapping[str, int], more: int) -> Mapping[str, int]:
    """Available memory may go below 0: so much was not there."""
    changed = {
        key: meminfo[key] - more for key in ("mem_available_bytes", "mem_free_bytes") if meminfo.get(key) is not None
    }
    return {**meminfo, **changed}


def _set_limit(snapshot: Snapshot, change: Change) -> Snapshot:
    usage = _cgroup(snapshot, change.target)
    limit = change.amount.bytes
    if limit is not None and change.amount.relative:
        if usage.max_bytes is None:
            raise WhatIfError("no-sizes", change.target)
        limit = change.amount.applied(usage.max_bytes)
    memsw = usage.memsw_max_bytes
    if memsw is not None:
        # The kernel refuses a limit above that of memory and swap together.
        memsw = None if limit is None else max(memsw, limit)
    new = replace(usage, max_bytes=limit, memsw_max_bytes=memsw)
    return replace(snapshot, cgroups=tuple(new if each.path == usage.path else each for each in snapshot.cgroups))


def _cgroup(snapshot: Snapshot, target: str) -> CgroupUsage:
    found = [usage for usage in snapshot.cgroups if usage.path == target]
    if not found and target:
        found = [
            usage
            for usage in snapshot.cgroups
            if target in (usage.names.unit, usage.names.container_name)
            or (usage.names.container_id or "").startswith(target)
        ]
        # A unit's or container's own cgroup, not those inside of it.
        outer = min((len(usage.path) for usage in found), default=0)
        found = [usage for usage in found if len(usage.path) == outer]
    if len(found) != 1:
        raise WhatIfError("several-cgroups" if found else "no-cgroup", target)
    return found[0]


def _set_swap(snapshot: Snapshot, change: Change) -> Snapshot:
    meminfo = snapshot.host.meminfo
    total, free = meminfo.get("swap_total_bytes"), meminfo.get("swap_free_bytes")
    if total is None or free is None:
        raise WhatIfError("no-sizes", "swap")
    new = change.amount.applied(total)
    changed = {**meminfo, "swap_total_bytes": new, "swap_free_bytes": free + new - total}
    return replace(snapshot, host=replace(snapshot.host, meminfo=changed))


_APPLY: Mapping[str, Callable[[Snapshot, Change], Snapshot]] = {
    "adj": _set_adj,
    "limit": _set_limit,
    "pid": _grow,
    "swap": _set_swap,
}
