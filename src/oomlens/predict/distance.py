"""How much more can be allocated until the kernel has to kill."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.model.report import Gap, Share
from oomlens.model.snapshot import CgroupUsage, HostMemory

# Below this a compression ratio says nothing.
_ENOUGH_COMPRESSED_BYTES = 1 << 20


class Distance(NamedTuple):
    """bytes: None where a part is unknown. parts: what it is the sum of."""

    bytes: int | None
    parts: tuple[Share, ...] = ()
    gaps: tuple[Gap, ...] = ()


def of_machine(host: HostMemory, swappable: int | None) -> Distance:
    """What is available without swapping (MemAvailable, 3.14 on), and the free swap as far as processes may use it.

    swappable: from `swap_room`.
    Swap on zram takes RAM for what it holds, so its free part counts as far as its content was compressed until now.
    """
    available, swap = host.meminfo.get("mem_available_bytes"), host.meminfo.get("swap_free_bytes")
    if available is None or swap is None:
        return Distance(None, (), (Gap("distance_bytes", "not-provided"),))
    parts = [Share("available", available), Share("swap_free", swap)]
    gaps: tuple[Gap, ...] = ()
    if swappable is None:
        gaps = (Gap("distance_bytes", "swap-unknown"),)
    elif swappable < swap:
        parts.append(Share("swap_barred", swappable - swap))
    free_zram = sum(each.size_bytes - each.used_bytes for each in host.swaps or () if "/zram" in each.name)
    free_zram = free_zram if swappable is None else min(free_zram, swappable)
    if free_zram:
        ratio = _zram_cost(host)
        if ratio is None:
            gaps = (*gaps, Gap("distance_bytes", "zram-ratio-unknown"))
        parts.append(Share("zram_cost", -round(free_zram * min(1.0 if ratio is None else ratio, 1.0))))
    return Distance(sum(part.bytes for part in parts), tuple(parts), gaps)


def _zram_cost(host: HostMemory) -> float | None:
    """RAM for a byte of swap on zram; None where hardly anything was swapped yet."""
    data = sum(each.data_bytes for each in host.zrams or ())
    used = sum(each.used_bytes for each in host.zrams or ())
    return used / data if data >= _ENOUGH_COMPRESSED_BYTES else None


def of_cgroup(usage: CgroupUsage, swappable: int | None) -> Distance:
    """Room below the limit, what reclaim can drop (page cache, slab), and the swap that its processes may still use."""
    if usage.max_bytes is None or usage.current_bytes is None:
        return Distance(None, (), (Gap("distance_bytes", "limit-or-usage-unknown"),))
    parts = [Share("room", usage.max_bytes - usage.current_bytes), *_reclaimable(usage)]
    gaps: tuple[Gap, ...] = ()
    if not usage.stat:
        gaps = (Gap("distance_bytes", "no-memory-stat"),)
    if swappable is None:
        gaps = (*gaps, Gap("distance_bytes", "swap-unknown"))
    else:
        parts.append(Share("swap_free", swappable))
    total = sum(part.bytes for part in parts)
    if usage.memsw_max_bytes is not None and usage.memsw_current_bytes is not None:
        dropped = sum(part.bytes for part in _reclaimable(usage))
        total = min(total, usage.memsw_max_bytes - usage.memsw_current_bytes + dropped)
    return Distance(total, tuple(parts), gaps)


def _reclaimable(usage: CgroupUsage) -> list[Share]:
    prefix = "total_" if usage.version == 1 else ""
    cache = [usage.stat.get(f"{prefix}{name}") for name in ("active_file", "inactive_file")]
    parts = [Share("file_cache", sum(part or 0 for part in cache))] if any(part is not None for part in cache) else []
    slab = usage.stat.get("slab_reclaimable")
    return parts if slab is None else [*parts, Share("slab_reclaimable", slab)]


def held_bytes(usage: CgroupUsage) -> int | None:
    """What a cgroup uses and reclaim cannot simply drop; None where the usage is unknown."""
    if usage.current_bytes is None:
        return None
    return max(0, usage.current_bytes - sum(part.bytes for part in _reclaimable(usage)))
