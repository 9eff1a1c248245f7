"""/proc and /sys -> what the kernel says of the machine's memory; see proc(5) and Documentation/admin-guide/sysctl/vm.rst."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from oomlens.host.read.pseudofiles import Folder
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
_LINE = re.compile(r"^(?:Node\s+\d+\s+)?([^:\s]+):\s+(\d+)( kB)?", re.MULTILINE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ZONE = re.compile(r"^Node (\d+), zone +(\S+)$", re.MULTILINE)
_ZONE_COUNTER = re.compile(
    r"^ +(?:pages )?(free|boost|min|low|high|promo|spanned|present|managed|cma) +(\d+)$", re.MULTILINE
)
_PROTECTION = re.compile(r"protection: \(([\d, ]*)\)")
_STALL = re.compile(r"^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)", re.MULTILINE)
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
        uptime_seconds=float(uptime.split()[0]) if uptime else None,
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
    pairs = (line.split(" ", 1) for line in content.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


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
    if content is None:
        return None
    found: list[Swap] = []
    for line in content.splitlines()[1:]:
        # Blanks of a file name are printed as \040, so the columns are safe.
        cells = line.rsplit(None, 4)
        if len(cells) == 5 and cells[2].isdecimal() and cells[3].isdecimal():
            found.append(Swap(cells[0], cells[1], int(cells[2]) * 1024, int(cells[3]) * 1024, int(cells[4])))
    return tuple(found)


def _zrams(devices: Folder) -> Iterator[Zram]:
    for name in devices.names("block"):
        if not name.startswith("zram"):
            continue
        size, stat = devices.read_text(f"block/{name}/disksize"), devices.read_text(f"block/{name}/mm_stat")
        columns = [int(cell) for cell in (stat or "").split()]
        if size is not None and size.strip().isdecimal() and int(size) > 0 and len(columns) >= 4:
            yield Zram(name, int(size), *columns[:4])


def _zones(content: str | None, buddies: str | None, page_size: int) -> tuple[Zone, ...] | None:
    if content is None:
        return None
    free_blocks = {
        (int(cells[1].rstrip(",")), cells[3]): {order: int(count) for order, count in enumerate(cells[4:])}
        for line in (buddies or "").splitlines()
        if len(cells := line.split()) > 4
    }
    heads = list(_ZONE.finditer(content))
    ends = [head.start() for head in heads[1:]] + [len(content)]
    found: list[Zone] = []
    for head, end in zip(heads, ends, strict=True):
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
        int(name[4:])
        for name in devices.names("devices/system/node")
        if name.startswith("node") and name[4:].isdecimal()
    )
    for number in numbers:
        content = devices.read_text(f"devices/system/node/node{number}/meminfo", f"nodes.{number}")
        if content is not None:
            yield Node(number, _meminfo(content))


def _slabs(content: str | None) -> tuple[Slab, ...] | None:
    """name, active objects, objects, size of an object … (slabinfo(5))."""
    if content is None:
        return None
    found: list[Slab] = []
    for line in content.splitlines():
        cells = line.split()
        if len(cells) > 4 and all(cell.isdecimal() for cell in cells[1:4]):
            active, total, size = (int(cell) for cell in cells[1:4])
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
    stripped = value.strip()
    return int(stripped) if re.fullmatch(r"-?\d{1,18}", stripped) else stripped


def _count(ranges: str | None) -> int | None:
    """`0-3,8` -> 5."""
    if not ranges or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", ranges):
        return None
    bounds = [part.split("-") for part in ranges.split(",")]
    return sum(int(bound[-1]) - int(bound[0]) + 1 for bound in bounds)
