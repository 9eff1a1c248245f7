"""The numbers that rules compare, taken from a report once: where memory was, and what there was of it.

Names are those of the JSON contract (`swap_total_bytes`, `memcg.limit_bytes`), or of a sum that is explained here.
A number that the report does not hold is absent; rules then answer undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oomlens.kernel.balance import usable_ram
from oomlens.model.finding import Evidence
from oomlens.model.report import Memcg, Memory, Report, Scope, Task, Zone

# Names of memory.stat (5.3 on, both versions of cgroups) and of the older `cache:…KB rss:…KB` line.
_MEMCG_ANON = ("anon", "rss")
_MEMCG_FILE = ("file", "cache")
_KERNEL_PARTS = ("slab", "kernel_stack", "pagetables", "percpu", "sock", "vmalloc", "sec_pagetables")
# Marks in the buddy list: blocks that only an atomic request, CMA or page isolation may take.
_NOT_FOR_ALL = frozenset("HCI")
_HIGH_FLAGS = ("HIGHUSER", "HIGHMEM", "TRANSHUGE")
_MOVABLE_FLAGS = ("MOVABLE", "TRANSHUGE")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, or all processes of one name, with what it held: RSS + swap + page tables.

    size: in `unit`, which is "bytes", or "pages" where the report does not imply the page size.
    """

    comm: str
    size: int
    unit: str = "bytes"
    count: int = 1
    pid: int | None = None
    oom_score_adj: int | None = None

    @property
    def held_bytes(self) -> int | None:
        """The size where it is known in bytes."""
        return self.size if self.unit == "bytes" else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one report.

    pool: name of the number that ran out: `memcg.limit_bytes` (its usage where it has no limit), or `ram_usable_bytes`.
    values: by name; only what is known. lines: where they were read.
    holders: processes, largest first; groups: the same by name.
    """

    report: Report
    pool: str
    values: Mapping[str, int]
    lines: Mapping[str, int]
    holders: tuple[Holder, ...]
    groups: tuple[Holder, ...]

    def get(self, name: str) -> int | None:
        return self.values.get(name)

    def has(self, *names: str) -> bool:
        return all(name in self.values for name in names)

    @property
    def pool_bytes(self) -> int | None:
        """What ran out: the limit of the cgroup, or the RAM that the kernel manages."""
        return self.values.get(self.pool)

    def share(self, name: str) -> float | None:
        """A number as a part of what ran out (0..1, more where swap is counted in); None where one is unknown.

        Where the page size is not known, the same numbers in pages are compared.
        """
        size = self.values.get(name)
        if size is not None:
            return self.part(size)
        return self.part(self.values.get(_in_pages(name)), "pages")

    def part(self, size: int | None, unit: str = "bytes") -> float | None:
        """A size as a part of what ran out."""
        pool = self.pool_bytes if unit == "bytes" else self.values.get(_in_pages(self.pool))
        return None if size is None or not pool else size / pool

    def part_of(self, holder: Holder) -> float | None:
        """What a process held as a part of what ran out."""
        return self.part(holder.size, holder.unit)

    def evidence(self, name: str, comparison: str | None = None) -> Evidence:
        """A number as evidence, with the line where it was read."""
        known = name if name in self.values or _in_pages(name) not in self.values else _in_pages(name)
        return Evidence(known, self.values.get(known), unit_of(known), comparison, self.lines.get(known))

    def share_evidence(self, name: str, operator: str, bound: float) -> Evidence:
        """A number with what it is of the pool: `shmem_bytes / ram_usable_bytes = 0.56 >= 0.25`."""
        share = self.share(name)
        told = "unknown" if share is None else f"{share:.2f}"
        return self.evidence(name, f"{name} / {self.pool} = {told} {operator} {bound:g}")

    def holder_evidence(self, holder: Holder, operator: str | None = None, bound: float | None = None) -> Evidence:
        """What a process held, with what it is of the pool."""
        share = self.part_of(holder)
        comparison = None
        if share is not None and operator is not None and bound is not None:
            comparison = f"held / {self.pool} = {share:.2f} {operator} {bound:g}"
        who = f"{holder.comm}[{holder.pid}]" if holder.pid is not None else f"{holder.comm} x {holder.count}"
        return Evidence(f"held by {who}", holder.size, holder.unit, comparison, self.report.lines.get("tasks"))


def _in_pages(name: str) -> str:
    return f"{name.removesuffix('_bytes')}_pages"


def unit_of(name: str) -> str | None:
    """The unit that a name ends in."""
    for unit in ("bytes", "pages", "count", "seconds"):
        if name.endswith(unit):
            return unit
    return None


def held_by(task: Task) -> tuple[int, str] | None:
    """What the kernel's badness counts, RSS + swap + page tables, with its unit; None where RSS is not known."""
    if task.rss_bytes is not None:
        return task.rss_bytes + (task.swap_bytes or 0) + (task.pgtables_bytes or 0), "bytes"
    if task.pages is not None and "rss" in task.pages:
        return task.pages["rss"] + task.pages.get("swapents", 0), "pages"
    return None


def figures_of(report: Report) -> Figures:
    """The numbers of a report."""
    values: dict[str, int] = {}
    lines: dict[str, int] = {}
    if report.memory is not None:
        _memory(report, report.memory, values, lines)
    if report.memcg is not None:
        _memcg(report, report.memcg, values, lines)
    holders = _holders(report.tasks)
    pool = "ram_usable_bytes"
    if report.scope is Scope.MEMCG:
        pool = "memcg.limit_bytes" if "memcg.limit_bytes" in values else "memcg.usage_bytes"
    return Figures(report, pool, values, lines, holders, _groups(holders))


def eligible_zones(report: Report) -> tuple[Zone, ...]:
    """Zones that may serve the request, by its GFP flags (`gfp_zone` of include/linux/gfp.h); () where unknown."""
    memory, invoker = report.memory, report.invoker
    flags = invoker.gfp_flags if invoker is not None else None
    if memory is None or flags is None:
        return ()
    high = any(word in flag for flag in flags for word in _HIGH_FLAGS)
    movable = high and any(word in flag for flag in flags for word in _MOVABLE_FLAGS)
    refused = {"HighMem"} if not high else set()
    if not movable:
        refused.add("Movable")
    refused.add("Device")
    if any(flag in ("GFP_DMA32", "__GFP_DMA32") for flag in flags):
        refused.add("Normal")
    if any(flag in ("GFP_DMA", "__GFP_DMA") for flag in flags):
        refused |= {"Normal", "DMA32"}
    return tuple(zone for zone in memory.zones if zone.name not in refused)


def usable_free_bytes(zone: Zone) -> int | None:
    """Free memory of a zone without what is kept for CMA."""
    free = zone.counters.get("free_bytes")
    return None if free is None else free - zone.counters.get("free_cma_bytes", 0)


def reserved_bytes(zone: Zone, highest: Zone, page_size: int | None) -> int:
    """What a zone keeps from requests that may also be served from a higher one (vm.lowmem_reserve_ratio).

    highest: the highest zone that may serve the request; it keeps nothing from it.
    """
    if zone.name == highest.name or page_size is None:
        return 0
    kept = [pages for pages in zone.lowmem_reserve_pages if pages > 0]
    return min(kept, default=0) * page_size


def has_block(zone: Zone, order: int) -> bool | None:
    """Whether the zone had a free block of an order that any request may take; None where its list is not shown."""
    if zone.buddy is None:
        return None
    types = zone.buddy_types or {}
    for size, count in zone.buddy.items():
        letters = types.get(size, "")
        if size >= order and count > 0 and not (letters and set(letters) <= _NOT_FOR_ALL):
            return True
    return False


def _memory(report: Report, memory: Memory, values: dict[str, int], lines: dict[str, int]) -> None:
    for name, value in memory.counters.items():
        values[name] = value
        line = report.lines.get(f"memory.{name.rsplit('_', 1)[0]}")
        if line is not None:
            lines[name] = line
    for share in report.balance or ():
        values.setdefault(f"{share.name}_bytes", share.bytes)
    for unit in ("bytes", "pages"):
        known_anon = f"anon_{unit}" in values
        _sum_lists(values, lines, "anon", unit, report)
        if not known_anon and f"anon_{unit}" in values:
            # The anonymous lists hold shared memory too.
            values[f"anon_{unit}"] = max(values[f"anon_{unit}"] - values.get(f"shmem_{unit}", 0), 0)
        _sum_lists(values, lines, "file", unit, report)
    for name in ("kernel_stack", "mlocked"):
        key = f"{name}_bytes"
        placed = [zone.counters.get(key) for zone in memory.zones] + [node.counters.get(key) for node in memory.nodes]
        known = [part for part in placed if part is not None]
        if known:
            values.setdefault(f"{name}_bytes", sum(known))
    if memory.hugepages:
        values["hugetlb_bytes"] = sum(pool.total * pool.size_bytes for pool in memory.hugepages)
        values["hugetlb_free_bytes"] = sum(pool.free * pool.size_bytes for pool in memory.hugepages)
        for name in ("hugetlb_bytes", "hugetlb_free_bytes"):
            if (line := report.lines.get("memory.hugepages")) is not None:
                lines[name] = line
    ram = usable_ram(memory) or _managed(memory) or memory.get("ram_bytes") or _seen(values, "bytes")
    if (ram_pages := _seen(values, "pages")) is not None and not ram:
        values["ram_usable_pages"] = ram_pages
    if ram:
        values["ram_usable_bytes"] = ram
    total, free = memory.get("swap_total_bytes"), memory.get("swap_free_bytes")
    if total is not None and free is not None and free <= total:
        values["swap_used_bytes"] = total - free


def _managed(memory: Memory) -> int | None:
    sizes = [zone.counters.get("managed_bytes") for zone in memory.zones]
    known = [size for size in sizes if size]
    return sum(known) if known and len(known) == len(sizes) else None


def _seen(values: Mapping[str, int], unit: str) -> int | None:
    """RAM as far as Mem-Info shows it, where no line tells the whole; None unless the large parts are there."""
    needed = [f"{name}_{unit}" for name in ("anon", "file", "free", "slab_reclaimable", "slab_unreclaimable")]
    if any(name not in values for name in needed):
        return None
    rest = (values.get(f"{name}_{unit}", 0) for name in ("shmem", "unevictable", "pagetables"))
    return sum(values[name] for name in needed) + sum(rest)


def _sum_lists(values: dict[str, int], lines: dict[str, int], name: str, unit: str, report: Report) -> None:
    """The active and inactive list of a kind, and what was taken off them for a moment (may be absent)."""
    total = f"{name}_{unit}"
    parts = [f"{state}_{name}_{unit}" for state in ("active", "inactive", "isolated")]
    line = report.lines.get(f"memory.active_{name}")
    if total not in values:
        if any(part not in values for part in parts[:2]):
            return
        values[total] = sum(values.get(part, 0) for part in parts)
    if line is not None:
        lines[total] = line


def _memcg(report: Report, memcg: Memcg, values: dict[str, int], lines: dict[str, int]) -> None:
    for prefix in ("", "swap_", "memsw_", "kmem_"):
        for what in ("usage_bytes", "limit_bytes", "failcnt"):
            value = getattr(memcg, f"{prefix}{what}")
            if value is not None:
                values[f"memcg.{prefix}{what}"] = value
                if (line := report.lines.get(f"memcg.{prefix}usage")) is not None:
                    lines[f"memcg.{prefix}{what}"] = line
    totals = _totals(memcg)
    if not totals:
        return
    line = report.lines.get("memcg.stats")
    for name, value in _memcg_parts(totals):
        values[f"memcg.{name}_bytes"] = value
        if line is not None:
            lines[f"memcg.{name}_bytes"] = line


def _totals(memcg: Memcg) -> Mapping[str, int]:
    """memory.stat of the whole subtree; up to 5.2 it is printed per cgroup and summed here."""
    if not memcg.child_stats:
        return memcg.stats
    totals = dict(memcg.stats)
    for child in memcg.child_stats.values():
        for name, value in child.items():
            totals[name] = totals.get(name, 0) + value
    return totals


def _memcg_parts(stats: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    anon = next((stats[name] for name in _MEMCG_ANON if name in stats), None)
    file = next((stats[name] for name in _MEMCG_FILE if name in stats), None)
    shmem = stats.get("shmem")
    if anon is not None:
        yield "anon", anon
    if shmem is not None:
        yield "shmem", shmem
    if file is not None:
        yield "file", file - (shmem or 0) if file >= (shmem or 0) else file
    kernel = stats.get("kernel")
    if kernel is None:
        known = [stats[name] for name in _KERNEL_PARTS if name in stats]
        kernel = sum(known) if known else None
    if kernel is not None:
        yield "kernel", kernel
    for name in (
        "slab",
        "slab_unreclaimable",
        "unevictable",
        "pagetables",
        "kernel_stack",
        "sock",
        "dirty",
        "file_dirty",
    ):
        if name in stats:
            yield name, stats[name]


def _holders(tasks: Iterable[Task]) -> tuple[Holder, ...]:
    holders = []
    for task in tasks:
        held = held_by(task)
        if held is not None:
            holders.append(Holder(task.comm, *held, 1, task.pid, task.oom_score_adj))
    return tuple(sorted(holders, key=lambda holder: -holder.size))


def _groups(holders: Iterable[Holder]) -> tuple[Holder, ...]:
    groups: dict[tuple[str, str], list[int]] = {}
    for holder in holders:
        group = groups.setdefault((holder.comm, holder.unit), [0, 0])
        group[0] += holder.size
        group[1] += 1
    made = (Holder(comm, size, unit, count) for (comm, unit), (size, count) in groups.items())
    return tuple(sorted(made, key=lambda group: -group.size))
