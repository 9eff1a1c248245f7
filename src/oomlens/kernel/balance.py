"""Where all RAM went, from the Mem-Info block.

Never from a sum of RSS: shared pages count once for each process there, and kernel memory for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oomlens.model.report import Counters, Memory, Node, Share, Zone

# The lists of pages that reclaim works on (mm/page_alloc.c and mm/show_mem.c, show_free_areas).
_LRU = ("active_anon", "inactive_anon", "isolated_anon", "active_file", "inactive_file", "isolated_file", "unevictable")
# Counters that are a share each, where the kernel prints them; their pages are in no other counter used here.
# sec_pagetables 6.1+, kernel_misc_reclaimable 5.15+, free_pcp 4.2+; no mainline kernel prints percpu and vmalloc yet.
_KERNEL_SHARES = (
    "pagetables",
    "sec_pagetables",
    "percpu",
    "vmalloc",
    "kernel_misc_reclaimable",
    "bounce",
    "hwpoisoned",
    "free_pcp",
)
# Per-CPU counters are folded into the global ones in batches, so equal ones may be apart by this part of RAM.
_DRIFT = 0.005
# The same, printed for each zone or node; shadow_call_stack 5.9+ on arm64, zspages (zswap, zram) 6.18+, gpu 7.1+.
_PLACED = ("kernel_stack", "shadow_call_stack", "zspages", "gpu_active", "gpu_reclaim")
# From this page size on, kernel stacks may be slab objects (THREAD_SIZE < PAGE_SIZE, kernel/fork.c), counted in both.
_STACKS_IN_SLAB = 65536


def balance(memory: Memory) -> tuple[Share, ...] | None:
    """Divides the RAM that the kernel manages into shares that sum to it exactly; the last one is `unaccounted`.

    What each share holds, without counting a page twice:

    anon     all reclaim lists - file - shmem: process memory, with its swap cache.
             Not the anon lists: these hold shmem too, and mlocked pages are on the unevictable list.
    file     page cache pages - shmem - swap cache, which the kernel counts as page cache (NR_FILE_PAGES).
    shmem    tmpfs and shared memory, mapped or not, locked or not.
    hugetlb  the pools' pages, used or free; they are in no other counter.
    free_cma the part of the free pages that only movable requests may have; `free` is the rest.
    unaccounted  what no counter names: driver, vmalloc, network and firmware memory. Often some percent.

    RAM is as in `usable_ram`.
    Kernel stacks and zspages are printed per zone or node; where not all are shown they are left to `unaccounted`.

    None: the page size is unknown, a needed counter is missing, or a share would be below zero because counters
    contradict each other or the RAM (overflows, damaged digits).
    """
    counters = memory.counters
    if memory.page_size is None:
        return None
    ram = usable_ram(memory)
    lru = _sum(counters, _LRU)
    shmem = counters.get("shmem_bytes")
    pagecache = counters.get("pagecache_bytes")
    swap_cache = _swap_cache(counters)
    slabs = tuple(counters.get(f"{name}_bytes") for name in ("slab_reclaimable", "slab_unreclaimable"))
    free = counters.get("free_bytes")
    if ram is None or lru is None or shmem is None or pagecache is None or swap_cache is None or free is None:
        return None
    if slabs[0] is None or slabs[1] is None:
        return None
    free_cma = counters.get("free_cma_bytes")
    file = _not_below_zero(pagecache - shmem - swap_cache, ram)
    anon = _not_below_zero(lru - (pagecache - swap_cache), ram)
    if file is None or anon is None:
        return None
    shares = [
        Share("anon", anon),
        Share("file", file),
        Share("shmem", shmem),
        Share("slab_reclaimable", slabs[0]),
        Share("slab_unreclaimable", slabs[1]),
        *_per_zone(memory, ram),
        *(Share(name, counters[f"{name}_bytes"]) for name in _KERNEL_SHARES if f"{name}_bytes" in counters),
        *_hugetlb(memory),
        *(() if free_cma is None else (Share("free_cma", free_cma),)),
        Share("free", free - (free_cma or 0)),
    ]
    shares.append(Share("unaccounted", ram - sum(share.bytes for share in shares)))
    return tuple(shares) if all(share.bytes >= 0 for share in shares) else None


def usable_ram(memory: Memory) -> int | None:
    """The RAM that the kernel manages, in bytes (MemTotal of /proc/meminfo); None where the report does not say.

    It is `pages RAM` - `pages reserved`; ballooned pages are among the reserved.
    From 3.11 to 3.18 `reserved` is that of the last zone only, which shows where zones print present and managed:
    then the sum of the managed pages counts, if all zones are shown.
    """
    ram = memory.get("ram_bytes")
    reserved = memory.get("reserved_bytes")
    if ram is None or reserved is None or reserved > ram:
        return None
    present = _over(memory.zones, ("present",))
    managed = _over(memory.zones, ("managed",))
    if present is None or managed is None or present - managed <= reserved:
        return ram - reserved
    return managed if present == ram else None


def _per_zone(memory: Memory, ram: int) -> Iterable[Share]:
    """Shares printed per zone (zspages, up to 5.4 kernel_stack) or per node (the others, kernel_stack from 5.9).

    Given only where all zones or nodes are shown, else the sum would be of a part.
    2.6.39+ shows the nodes allowed for the request, 6.1+ the zones usable for it.
    """
    stacks_in_slab = memory.page_size is not None and memory.page_size >= _STACKS_IN_SLAB
    for name in _PLACED:
        if name == "kernel_stack" and stacks_in_slab:
            continue
        amount = _over(memory.zones, (name,)) if _all_zones(memory, ram) else None
        if amount is None and _all_nodes(memory, ram):
            amount = _over(memory.nodes, (name,))
        if amount is not None:
            yield Share(name, amount)


def _all_zones(memory: Memory, ram: int) -> bool:
    """Says whether the zones shown hold all RAM; kernels up to 3.8 print no managed pages."""
    shown = _over(memory.zones, ("managed",)) or _over(memory.zones, ("present",))
    return shown is not None and shown >= ram


def _all_nodes(memory: Memory, ram: int) -> bool:
    """Says whether the nodes shown hold all pages of the reclaim lists."""
    names = ("active_anon", "inactive_anon", "active_file", "inactive_file", "unevictable")
    shown = _over(memory.nodes, names)
    whole = _sum(memory.counters, names)
    return shown is not None and whole is not None and abs(shown - whole) <= ram * _DRIFT


def _hugetlb(memory: Memory) -> Iterable[Share]:
    """The hugepage pools of all nodes; nothing where no pool is printed (up to 3.9, or a kernel without hugetlbfs)."""
    if memory.hugepages:
        yield Share("hugetlb", sum(pool.total * pool.size_bytes for pool in memory.hugepages))


def _over(places: Sequence[Node] | Sequence[Zone], names: Iterable[str]) -> int | None:
    """A sum over zones or nodes; None where there are none, or one of them lacks a counter."""
    sums = [_sum(place.counters, names) for place in places]
    known = [each for each in sums if each is not None]
    return sum(known) if known and len(known) == len(sums) else None


def _swap_cache(counters: Counters) -> int | None:
    """The swap cache; 0 where there is no swap, since a kernel without CONFIG_SWAP has no line for it."""
    printed = counters.get("swap_cache_bytes")
    if printed is None and not counters.get("swap_total_bytes", 0):
        return 0
    return printed


def _sum(counters: Counters, names: Iterable[str]) -> int | None:
    values = [counters.get(f"{name}_bytes") for name in names]
    known = [each for each in values if each is not None]
    return sum(known) if len(known) == len(values) else None


def _not_below_zero(value: int, ram: int) -> int | None:
    """A difference of counters: 0 where it is below zero by no more than their drift, None where they contradict."""
    if value >= 0:
        return value
    return 0 if -value <= ram * _DRIFT else None
