"""/proc and /sys -> what the kernel says of the machine's memory; see proc(5) and Documentation/admin-guide/sysctl/vm.rst."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from oomlens.host.read.pseudofiles import Folder, number
from oomlens.kernel.proc_swaps import swaps_of
from oomlens.model.report import Counters, Gap, Node, Slab, Zone
from oomlens.model.snapshot import HostMemory, Pressure, Setting, Stall, Swap, Zram

# What decides whether, when and whom the kernel kills; relative to /proc/sys.
SETTINGS = (
    "kernel/panic",
    "vm/admin_reserve_kbytes",
    "vm/min_free_kbytes",
    "vm/nr_hugepages",
    "vm/oom_dump_tasks",
    "vm/oom_kill_allocating_task",
    "vm/overcommit_kbytes",
    "vm/overcommit_memory",
    "vm/overcommit_ratio",
    "vm/panic_on_oom",
    "vm/swappiness",
    "vm/vfs_cache_pressure",
    "vm/watermark_scale_factor",
    "vm/zone_reclaim_mode",
)
# The same below /sys; the chosen word of `always [madvise] never`.
SYS_SETTINGS = (
    ("thp_defrag", "kernel/mm/transparent_hugepage/defrag"),
    ("thp_enabled", "kernel/mm/transparent_hugepage/enabled"),
    ("zswap_enabled", "module/zswap/parameters/enabled"),
    ("zswap_max_pool_percent", "module/zswap/parameters/max_pool_percent"),
)
# Inode of the first pid namespace (include/linux/proc_ns.h, PROC_PID_INIT_INO).
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
_LINE = re.compile(r"^(?:Node +[0-9]+ +)?([^:\s]+): +([0-9]{1,20})( kB)?", re.MULTILINE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ZONE = re.compile(r"^Node ([0-9]{1,6}), zone +(\S+)$", re.MULTILINE)
_ZONE_COUNTER = re.compile(
    r"^ +(?:pages )?(free|boost|min|low|high|promo|spanned|present|managed|cma) +([0-9]{1,18})$", re.MULTILINE
)
_PROTECTION = re.compile(r"protection: \(([0-9]{1,18}(?:, [0-9]{1,18})*)\)")
_BUDDY = re.compile(r"^Node ([0-9]{1,6}), zone +(\S+) +((?:[0-9]{1,12} *){1,20})$", re.MULTILINE)
_STALL = re.compile(r"^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d{1,20})", re.MULTILINE)
_RANGES = re.compile(r"[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*")
_CHOSEN = re.compile(r"\[(\S+)\]")
_LARGEST_SLABS = 10


def read_host(proc: Path, sys: Path, *, page_size: int, slabs: bool = False) -> tuple[HostMemory, tuple[Gap, ...]]:
    """The machine's memory and what could not be read of it; never raises on content.

    slabs: read the largest kernel caches too (root only; takes the caches' locks).
    """
    files, devices = Folder(proc), Folder(sys)
    vmstat = _vmstat(files.read_text("vmstat", "vmstat") or "")
    meminfo = _meminfo(files.read_text("meminfo", "meminfo") or "")
    uptime = files.read_text("uptime")
    if vmstat and "oom_kill" not in vmstat:
        files.gaps.append(Gap("oom_kills", "not-provided"))
    host = HostMemory(
        page_size=page_size,
        name=files.read_text("sys/kernel/hostname"),
        kernel_release=files.read_text("sys/kernel/osrelease", "kernel_release"),
        boot_id=files.read_text("sys/kernel/random/boot_id"),
        uptime_seconds=_seconds(uptime),
        cpus=_count(devices.read_text("devices/system/cpu/online")),
        initial_pid_namespace=_initial_pid_namespace(proc),
        meminfo=meminfo,
        vmstat=vmstat,
        pressure=dict(_pressures(files)),
        swaps=_swaps(files.read_text("swaps", "swaps")),
        zrams=tuple(_zrams(devices)),
        zones=_zones(files.read_text("zoneinfo", "zones"), files.read_text("buddyinfo"), page_size),
        nodes=tuple(_nodes(devices)),
        slabs=_slabs(files.read_text("slabinfo", "slabs")) if slabs else None,
        settings=dict(_settings(files, devices)),
        oom_kills=vmstat.get("oom_kill"),
    )
    return host, (*files.gaps, *devices.gaps)


def _initial_pid_namespace(proc: Path) -> bool | None:
    try:
        return str((proc / "self/ns/pid").readlink()) == _INITIAL_PID_NAMESPACE
    except OSError:
        return None


def key_of(name: str) -> str:
    """`MemTotal` -> `mem_total`, `Active(anon)` -> `active_anon`, `Committed_AS` -> `committed_as`."""
    return _HUMP.sub("_", name.replace("(", "_").replace(")", "")).lower().replace("__", "_")


def _meminfo(content: str) -> Counters:
    return {
        f"{key_of(name)}_bytes" if unit else key_of(name): int(value) * (1024 if unit else 1)
        for name, value, unit in _LINE.findall(content)
    }


def _vmstat(content: str) -> Counters:
    pairs = (line.partition(" ") for line in content.splitlines())
    return {name: count for name, _, value in pairs if (count := number(value)) is not None}


def pressure_of(content: str) -> Pressure:
    """A pressure file's content."""
    lines = {
        kind: Stall(float(ten), float(sixty), float(three_hundred), int(total) / 1e6)
        for kind, ten, sixty, three_hundred, total in _STALL.findall(content)
    }
    return Pressure(lines.get("some"), lines.get("full"))


def _pressures(files: Folder) -> Iterator[tuple[str, Pressure]]:
    for resource in ("memory", "io", "cpu"):
        content = files.read_text(f"pressure/{resource}", f"pressure.{resource}")
        if content is not None:
            yield resource, pressure_of(content)


def _swaps(content: str | None) -> tuple[Swap, ...] | None:
    return None if content is None else swaps_of(content)


def _zrams(devices: Folder) -> Iterator[Zram]:
    for name in devices.names("block"):
        if not name.startswith("zram"):
            continue
        size, stat = devices.read_text(f"block/{name}/disksize"), devices.read_text(f"block/{name}/mm_stat")
        disk = number(size or "")
        columns = [count for cell in (stat or "").split()[:4] if (count := number(cell)) is not None]
        if disk and len(columns) == 4:  # a disk of 0 bytes is not in use
            yield Zram(name, disk, *columns)


def _zones(content: str | None, buddies: str | None, page_size: int) -> tuple[Zone, ...] | None:
    if content is None:
        return None
    free_blocks = {
        (int(found[1]), found[2]): {order: int(count) for order, count in enumerate(found[3].split())}
        for found in _BUDDY.finditer(buddies or "")
    }
    heads = list(_ZONE.finditer(content))
    ends = [*(head.start() for head in heads[1:]), len(content)]
    found: list[Zone] = []
    for head, end in zip(heads, ends, strict=False):
        body = content[head.end() : end]
        counters: dict[str, int] = {}
        for name, pages in _ZONE_COUNTER.findall(body):
            counters.setdefault(f"{name}_bytes", int(pages) * page_size)  # `high` comes again per processor
        protection = _PROTECTION.search(body)
        buddy = free_blocks.get((int(head[1]), head[2]))
        found.append(
            Zone(
                node=int(head[1]),
                name=head[2],
                counters=counters,
                lowmem_reserve_pages=tuple(int(part) for part in protection[1].split(",")) if protection else (),
                buddy=buddy,
                buddy_total_bytes=sum(count * page_size << order for order, count in buddy.items()) if buddy else None,
            )
        )
    return tuple(found)


def _nodes(devices: Folder) -> Iterator[Node]:
    numbers = sorted(
        int(name[4:]) for name in devices.names("devices/system/node") if re.fullmatch(r"node[0-9]{1,6}", name)
    )
    for node in numbers:
        content = devices.read_text(f"devices/system/node/node{node}/meminfo", f"nodes.{node}")
        if content is not None:
            yield Node(node, _meminfo(content))


def _slabs(content: str | None) -> tuple[Slab, ...] | None:
    """name, active objects, objects, size of an object … (slabinfo(5))."""
    if content is None:
        return None
    found: list[Slab] = []
    for line in content.splitlines():
        cells = line.split()
        active, total, size = (number(cell) for cell in cells[1:4]) if len(cells) > 4 else (None, None, None)
        if active is not None and total is not None and size is not None:
            found.append(Slab(cells[0], active * size, total * size))
    return tuple(sorted(found, key=lambda slab: slab.total_bytes, reverse=True)[:_LARGEST_SLABS])


def _settings(files: Folder, devices: Folder) -> Iterator[tuple[str, Setting]]:
    for place in SETTINGS:
        value = files.read_text(f"sys/{place}", f"settings.{place.rsplit('/', 1)[1]}")
        if value is not None:
            yield place.rsplit("/", 1)[1], _number(value)
    for name, place in SYS_SETTINGS:
        value = devices.read_text(place)
        if value is not None:
            chosen = _CHOSEN.search(value)
            yield name, chosen[1] if chosen else _number(value)


def _number(value: str) -> Setting:
    known = number(value)
    return value.strip() if known is None else known


def _seconds(uptime: str | None) -> float | None:
    found = re.match(r"[0-9]{1,12}\.[0-9]{1,9}", uptime or "")
    return float(found[0]) if found else None


def _count(ranges: str | None) -> int | None:
    """`0-3,8` -> 5."""
    if not ranges or not _RANGES.fullmatch(ranges):
        return None
    bounds = [part.split("-") for part in ranges.split(",")]
    return sum(int(bound[-1]) - int(bound[0]) + 1 for bound in bounds)
