"""All about one process, a unit or container, or the memory of the kernel itself, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oomlens.i18n import Translate
from oomlens.model.report import Zone
from oomlens.model.snapshot import CgroupUsage, HostMemory, Snapshot
from oomlens.predict.distance import held_bytes
from oomlens.render.columns import aligned
from oomlens.render.gaps import gap_lines
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size
from oomlens.render.status import Wanted, cgroup_table, command, duration, largest, number, process_table, user

# What /proc/vmstat counts of reclaim, allocation and kills; the names differ between kernels.
_COUNTED = (
    "oom_kill", "pgmajfault", "pswpin", "pswpout", "allocstall", "allocstall_dma", "allocstall_dma32", "allocstall_normal",
    "allocstall_movable", "pgscan_direct", "pgsteal_direct", "pgscan_kswapd", "pgsteal_kswapd", "compact_stall", "compact_fail",
    "workingset_refault_anon", "workingset_refault_file", "thp_fault_fallback",
)  # fmt: skip
# Events of memory.events that say that a limit was felt, and the failures of version 1.
_EVENTS = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill", "failcnt", "under_oom")
_PARTS = (
    ("anon", ("anon", "total_rss")),
    ("shmem", ("shmem", "total_shmem")),
    ("file", ("file", "total_cache")),
    ("kernel", ("kernel",)),
    ("slab", ("slab",)),
    ("sock", ("sock",)),
    ("unevictable", ("unevictable", "total_unevictable")),
)


def render_process(snapshot: Snapshot, pid: int, tr: Translate, wanted: Wanted) -> str:
    """One process of the snapshot, and the limits above it."""
    process = next(each for each in snapshot.processes if each.pid == pid)
    started = None
    if snapshot.host.uptime_seconds is not None:
        started = duration(max(0.0, snapshot.host.uptime_seconds - process.started_uptime_seconds))
    rows = [
        (tr("process"), f"{visible(process.comm)}[{process.pid}]"),
        (tr("command"), command(process)),
        (tr("user"), user(process, wanted.users)),
        (tr("running for"), started or "?"),
        (tr("threads"), str(process.threads)),
        ("RSS", size(process.rss_bytes)),
        ("  anon", size(process.rss_anon_bytes)),
        ("  file", size(process.rss_file_bytes)),
        ("  shmem", size(process.rss_shmem_bytes)),
        (tr("  shared out (PSS)"), size(process.pss_bytes)),
        (tr("  at its largest"), size(process.rss_peak_bytes)),
        (tr("swap"), size(process.swap_bytes)),
        (tr("page tables"), size(process.pgtables_bytes)),
        (tr("locked"), size(process.locked_bytes)),
        (tr("huge pages"), size(process.hugetlb_bytes)),
        (tr("virtual size"), size(process.total_vm_bytes)),
        (tr("major faults"), number(process.major_faults)),
        ("oom_score", number(process.oom_score)),
        ("oom_score_adj", number(process.oom_score_adj)),
        (tr("memory nodes"), process.mems_allowed or "?"),
        ("cgroup", visible(process.cgroup or "?")),
    ]
    # Its own cgroup, and those above that have a limit themselves.
    above = [usage for usage in snapshot.cgroups if usage.path == process.cgroup or _is_limited(usage)]
    gaps = [gap for gap in snapshot.gaps if gap.what.startswith("pss_bytes")]
    blocks = [aligned([*rows]), cgroup_table(above, tr), list(gap_lines(gaps, tr))]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _is_limited(usage: CgroupUsage) -> bool:
    return usage.max_bytes is not None or usage.high_bytes is not None


def render_cgroups(snapshot: Snapshot, tr: Translate, wanted: Wanted) -> str:
    """Some cgroups, more about each of the outermost, and all their processes."""
    paths = {usage.path for usage in snapshot.cgroups}
    outer = [usage for usage in snapshot.cgroups if not any(path in paths for path in _above(usage.path))]
    blocks = [
        cgroup_table(snapshot.cgroups, tr),
        *(list(_cgroup(usage, tr)) for usage in outer),
        process_table(largest(snapshot.processes), snapshot, tr, wanted.users),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _above(path: str) -> Iterator[str]:
    while path not in ("", "/"):
        path = path.rpartition("/")[0]
        yield path or "/"


def _cgroup(usage: CgroupUsage, tr: Translate) -> Iterator[str]:
    yield visible(usage.path)
    limits = [
        (name, usage.unlimited, key, value)
        for name, key, value in (
            ("memory.max", "memory", usage.max_bytes), ("memory.high", "high", usage.high_bytes),
            ("memory.swap.max", "swap", usage.swap_max_bytes), ("memory.memsw", "memsw", usage.memsw_max_bytes),
        )
        if value is not None or key in usage.unlimited
    ]  # fmt: skip
    rows = [(name, size(value) if value is not None else tr("none")) for name, _, _, value in limits]
    if usage.effective_max_bytes is not None and usage.effective_max_path not in (None, usage.path):
        where = visible(usage.effective_max_path or "?")
        rows.append((tr("limited by"), f"{where} ({size(usage.effective_max_bytes)})"))
    rows += [
        (tr("in use"), size(usage.current_bytes)),
        (tr("  not to be dropped"), size(held_bytes(usage))),
        *((f"  {name}", size(value)) for name, value in _parts(usage)),
        (tr("at its largest"), size(usage.peak_bytes)),
        (tr("swap"), size(usage.swap_current_bytes)),
    ]
    if usage.oom_group is not None:
        rows.append(("memory.oom.group", str(int(usage.oom_group))))
    if usage.oom_kill_disabled is not None:
        rows.append(("oom_kill_disable", str(int(usage.oom_kill_disabled))))
    counted = [f"{name} {usage.events[name]}" for name in _EVENTS if name in usage.events]
    rows.append((tr("events"), ", ".join(counted) or "?"))
    if usage.pressure is not None:
        stalls = [("some", usage.pressure.some), ("full", usage.pressure.full)]
        told = [
            f"{kind} {stall.avg10_percent:.2f} % (10 s) {stall.avg300_percent:.2f} % (300 s)"
            for kind, stall in stalls
            if stall
        ]
        rows.append((tr("stood still"), ", ".join(told)))
    yield from aligned(rows, indent="  ")


def _parts(usage: CgroupUsage) -> Iterator[tuple[str, int]]:
    for name, keys in _PARTS:
        value = next((usage.stat[key] for key in keys if key in usage.stat), None)
        if value is not None:
            yield name, value


def render_host(host: HostMemory, tr: Translate) -> str:
    """What the kernel tells of its memory beyond the totals."""
    blocks = [
        _pairs("/proc/meminfo", {name: _value(name, value) for name, value in host.meminfo.items()}),
        _pairs("/proc/vmstat", {name: str(host.vmstat[name]) for name in _COUNTED if name in host.vmstat}),
        _zones(host.zones or (), tr),
        _nodes(host, tr),
        _slabs(host, tr),
        _pairs(tr("settings"), {name: visible(str(value)) for name, value in host.settings.items()}),
    ]
    return "".join("\n" + "\n".join(block) + "\n" for block in blocks if block)


def _value(name: str, value: int) -> str:
    return size(value) if name.endswith("_bytes") else str(value)


def _pairs(title: str, values: Mapping[str, str]) -> list[str]:
    """Names and values in three columns under a title."""
    if not values:
        return []
    cells = [cell for name, value in values.items() for cell in (name.removesuffix("_bytes"), value)]
    cells += [""] * (-len(cells) % 6)
    rows = [cells[index : index + 6] for index in range(0, len(cells), 6)]
    return [title, *aligned(rows, right=(1, 3, 5), indent="  ")]


def _zones(zones: Sequence[Zone], tr: Translate) -> list[str]:
    """Watermarks, and the largest free block: below `min` only the kernel's own emergencies are served."""
    present = [zone for zone in zones if zone.counters.get("present_bytes")]
    if not present:
        return []
    rows: list[tuple[str, ...]] = [(tr("ZONE"), tr("FREE"), "MIN", "LOW", "HIGH", tr("PRESENT"), tr("LARGEST BLOCK"))]
    for zone in present:
        marks = (size(zone.counters.get(f"{name}_bytes")) for name in ("free", "min", "low", "high", "present"))
        largest_order = max((order for order, count in (zone.buddy or {}).items() if count), default=None)
        block = (
            "?"
            if zone.buddy is None
            else "-"
            if largest_order is None
            else tr("order {order}").format(order=largest_order)
        )
        rows.append((f"{zone.node} {visible(zone.name)}", *marks, block))
    return aligned(rows, right=range(1, 6))


def _nodes(host: HostMemory, tr: Translate) -> list[str]:
    if not host.nodes or len(host.nodes) < 2:
        return []
    rows = [(tr("NODE"), tr("TOTAL"), tr("FREE"), tr("PROGRAMS"), tr("PAGE CACHE"), tr("SLAB"), tr("HUGE PAGES"))]
    for node in host.nodes:
        get = node.counters.get
        pages, each = get("huge_pages_total"), host.meminfo.get("hugepagesize_bytes")
        rows.append(
            (
                str(node.node), size(get("mem_total_bytes")), size(get("mem_free_bytes")), size(get("anon_pages_bytes")),
                size(get("file_pages_bytes")), size(get("slab_bytes")),
                size(pages * each) if pages is not None and each is not None else "?",
            )
        )  # fmt: skip
    return aligned(rows, right=range(1, 7))


def _slabs(host: HostMemory, tr: Translate) -> list[str]:
    if not host.slabs:
        return []
    rows = [(tr("KERNEL CACHE"), tr("USED"), tr("TOTAL"))]
    rows += [(visible(slab.name), size(slab.used_bytes), size(slab.total_bytes)) for slab in host.slabs]
    return aligned(rows, right=(1, 2))
