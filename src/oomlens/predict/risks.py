"""Settings and states of a machine that make out-of-memory kills likelier, or their outcome worse."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.kernel.badness import UNKILLABLE
from oomlens.model.prediction import Warn
from oomlens.model.snapshot import HostMemory, Snapshot
from oomlens.predict.distance import held_bytes
from oomlens.predict.ranking import own_bytes

# Shares from which something is worth a line: of RAM, of a limit, of the swap, of time.
_LARGE_SHARE = 0.10
_NEAR_SHARE = 0.90
_STALLED_PERCENT = 10.0


def risks_of(snapshot: Snapshot) -> tuple[Warn, ...]:
    """What stands out; kinds are the keys of `oomlens.render.status.RISKS`."""
    return (*_of_swap(snapshot.host), *_of_settings(snapshot.host), *_of_state(snapshot))


def _of_swap(host: HostMemory) -> Iterator[Warn]:
    total, free = host.meminfo.get("swap_total_bytes"), host.meminfo.get("swap_free_bytes")
    if total == 0:
        yield Warn("no-swap")
    elif total is not None and free is not None and free < total * (1 - _NEAR_SHARE):
        yield Warn("swap-full", {"free_bytes": free, "total_bytes": total})
    if total and host.setting("swappiness") == 0:
        yield Warn("swappiness-zero")


def _of_settings(host: HostMemory) -> Iterator[Warn]:
    overcommit = host.setting("overcommit_memory")
    if overcommit == 1:
        yield Warn("overcommit-always")
    elif overcommit == 2:
        limit, committed = host.meminfo.get("commit_limit_bytes"), host.meminfo.get("committed_as_bytes")
        yield Warn("overcommit-strict", {"committed_bytes": committed, "limit_bytes": limit})
    if panic := host.setting("panic_on_oom"):
        yield Warn("panic-on-oom", {"value": panic})
    if host.setting("oom_kill_allocating_task"):
        yield Warn("allocating-task")
    ram, reserve = host.meminfo.get("mem_total_bytes"), host.setting("min_free_kbytes")
    if ram and reserve is not None and reserve * 1024 > ram * _LARGE_SHARE:
        yield Warn("large-reserve", {"bytes": reserve * 1024})


def _of_state(snapshot: Snapshot) -> Iterator[Warn]:
    host = snapshot.host
    ram = host.meminfo.get("mem_total_bytes")
    pages, size = host.meminfo.get("huge_pages_free"), host.meminfo.get("hugepagesize_bytes")
    if ram and pages and size and pages * size > ram * _LARGE_SHARE:
        yield Warn("idle-hugepages", {"bytes": pages * size})
    available, swap_free = host.meminfo.get("mem_available_bytes"), host.meminfo.get("swap_free_bytes")
    if ram and available is not None and swap_free is not None and available + swap_free < ram * _LARGE_SHARE:
        yield Warn("little-left", {"available_bytes": available, "free_bytes": swap_free})
    memory = host.pressure.get("memory")
    if memory is not None and memory.full is not None and memory.full.avg10_percent >= _STALLED_PERCENT:
        yield Warn("stalled", {"percent": round(memory.full.avg10_percent)})
    for usage in snapshot.cgroups:
        held, limit = held_bytes(usage), usage.max_bytes
        if usage.oom_kill_disabled:
            yield Warn("kill-disabled", {"path": usage.path})
        if held is not None and limit and held >= limit * _NEAR_SHARE:
            yield Warn("near-limit", {"path": usage.path, "held_bytes": held, "limit_bytes": limit})
        if usage.high_bytes and held is not None and held >= usage.high_bytes * _NEAR_SHARE:
            yield Warn("slowed", {"path": usage.path, "held_bytes": held, "high_bytes": usage.high_bytes})
    for process in snapshot.processes:
        own = own_bytes(process)
        if ram and own is not None and process.oom_score_adj == UNKILLABLE and own > ram * _LARGE_SHARE:
            yield Warn("large-unkillable", {"pid": process.pid, "comm": process.comm, "bytes": own})
