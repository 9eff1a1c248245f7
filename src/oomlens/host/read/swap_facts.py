"""What a planner of swap has to know of the machine. Reads only."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from oomlens.host.read.mounts import Mount, mount_of, mounts_of
from oomlens.host.read.reader import Reader
from oomlens.host.read.swap_header import header_of, names_in
from oomlens.host.read.swap_place import read_place, stats_of
from oomlens.host.run import find_program
from oomlens.kernel.proc_swaps import swaps_of
from oomlens.model.plan import FileFact
from oomlens.model.snapshot import CgroupUsage, Swap
from oomlens.plan import fstab, zram_generator
from oomlens.plan.kinds.swap import second_names, to_grow
from oomlens.plan.swap.facts import LINK, Place, SwapFacts, SwapNow, SwapWish, Unit, ZramDevice, ZramFacts
from oomlens.plan.swap.file_systems import holder_of

_UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_WHAT = re.compile(r"^\s*What\s*=\s*(\S.*?)\s*$", re.MULTILINE)
_RESUME = re.compile(r"(?:^|\s)(resume=(?!none\b|0:0\b)\S+)")
_HIBERNATES = re.compile(r"^\s*(\w+\s*=\s*(?:hibernate|suspend-then-hibernate|hybrid-sleep))\s*$", re.MULTILINE)
_BY = {"UUID=": "uuid", "LABEL=": "label", "PARTUUID=": "partuuid", "PARTLABEL=": "partlabel"}
_PROGRAMS = ("mkswap", "swapon", "swapoff")
_GENERATORS = ("/usr/lib/systemd/system-generators/zram-generator", "/lib/systemd/system-generators/zram-generator")


def read_swap_facts(wish: SwapWish, reader: Reader) -> SwapFacts:
    """The facts; for a swap that grows, the place is that of the file beside it, unless the wish has a path of its own."""
    tree = reader.tree
    table, problem = _fstab(reader, wish.fstab)
    mounts = mounts_of(tree.text("/proc/self/mountinfo") or "")
    content = tree.text("/proc/swaps")
    swaps = None if content is None else tuple(_swap(reader, swap, table) for swap in swaps_of(content))
    host = reader.snapshot.host
    facts = SwapFacts(
        live=reader.live,
        ram_bytes=host.meminfo.get("mem_total_bytes"),
        available_bytes=host.meminfo.get("mem_available_bytes"),
        swaps=swaps,
        fstab=table,
        fstab_problem=problem,
        units=tuple(_units(reader)),
        systemd=tree.place("/run/systemd/system").is_dir(),
        hibernation=tuple(_hibernation(reader)),
        swappiness=host.setting("swappiness"),
        zswap={"Y": True, "N": False}.get(str(host.settings.get("zswap_enabled"))),
        unswappable=tuple(usage.path for usage in reader.snapshot.cgroups if _unswappable(usage)),
        alternatives=tuple(_alternatives(reader, mounts)),
        missing_programs=tuple(name for name in _PROGRAMS if reader.live and find_program(name) is None),
        zram=_zram(reader),
    )
    return replace(facts, place=_place(wish, facts, reader, mounts))


def _place(wish: SwapWish, facts: SwapFacts, reader: Reader, mounts: tuple[Mount, ...]) -> Place:
    path = wish.path
    old = to_grow(wish.grow, facts) if wish.grow is not None and path == SwapWish().path else None
    if old is not None:
        path = next(name for name in second_names(old) if not os.path.lexists(reader.tree.place(name)))
    return read_place(path, reader, mounts)


def _fstab(reader: Reader, path: str) -> tuple[FileFact | None, str | None]:
    if (reader.tree.root / path.lstrip("/")).is_symlink():
        return None, LINK
    try:
        return reader.tree.file(path), None
    except OSError as error:
        return None, os.strerror(error.errno or errno.EIO)


def _swap(reader: Reader, swap: Swap, table: FileFact | None) -> SwapNow:
    place = reader.tree.place(swap.name)
    specs = {swap.name}
    try:
        header = header_of(place)
    except OSError:
        header = None
    if header is not None:
        names = names_in(header)
        specs |= {f"UUID={names.uuid}"} if names.uuid else set()
        specs |= {f"LABEL={names.label}"} if names.label else set()
    for entry in fstab.swaps(table.content) if table is not None else ():
        if _resolved(reader, entry.spec) == str(place):
            specs.add(entry.spec)
    about = stats_of(place)
    file_bytes = about.st_size if swap.kind == "file" and about is not None else None
    return SwapNow(swap.name, swap.kind, swap.size_bytes, swap.used_bytes, swap.priority, frozenset(specs), file_bytes)


def _resolved(reader: Reader, spec: str) -> str | None:
    """Where a first field of fstab leads: a path with its links followed, or a device by one of its names."""
    path = spec
    for prefix, folder in _BY.items():
        if spec.upper().startswith(prefix):
            name = spec[len(prefix) :].strip('"')
            path = f"/dev/disk/by-{folder}/{_udev_encoded(name)}"
    if not path.startswith("/"):
        return None
    try:
        return str(Path(os.path.realpath(reader.tree.place(path))))
    except (OSError, ValueError):
        return None


def _udev_encoded(name: str) -> str:
    """As udev names the link of a label: what is not plain as `\\xNN`."""
    return re.sub(r"[^\w#+\-.:=@/]", lambda found: f"\\x{ord(found[0]):02x}", name, flags=re.ASCII)


def _units(reader: Reader) -> Iterator[Unit]:
    seen: set[str] = set()
    for folder in _UNIT_FOLDERS:
        for name in reader.tree.names(folder):
            if not name.endswith(".swap") or name in seen:
                continue
            seen.add(name)
            found = _WHAT.search(reader.tree.text(f"{folder}/{name}") or "")
            if found is not None:
                yield Unit(name, found[1])


def _hibernation(reader: Reader) -> Iterator[str]:
    found = _RESUME.search(reader.tree.text("/proc/cmdline") or "")
    if found is not None:
        yield found[1]
    for path in ("/etc/systemd/logind.conf", "/etc/systemd/sleep.conf"):
        for setting in _HIBERNATES.findall(reader.tree.text(path) or ""):
            yield f"{path}: {setting}"


def _unswappable(usage: CgroupUsage) -> bool:
    """A limit of its own, and no swap beside it."""
    if usage.max_bytes is None:
        return False
    if usage.version == 2:
        return usage.swap_max_bytes == 0
    return usage.memsw_max_bytes is not None and usage.memsw_max_bytes <= usage.max_bytes


def _alternatives(reader: Reader, mounts: tuple[Mount, ...]) -> Iterator[str]:
    """Mount points of local file systems with more than 1 GiB free, the one with most first."""
    rooms: dict[str, int] = {}
    for mount in mounts:
        if mount.read_only or holder_of(mount.file_system, mount.source).verdict != "yes":
            continue
        place = reader.tree.place(mount.mount_point)
        if not place.is_dir() or mount_of(mount.mount_point, mounts) != mount:
            continue
        try:
            about = os.statvfs(place)
        except OSError:
            continue
        rooms[mount.mount_point] = about.f_bavail * about.f_frsize
    yield from sorted((point for point, free in rooms.items() if free > 1 << 30), key=lambda point: -rooms[point])


def _zram(reader: Reader) -> ZramFacts:
    tree = reader.tree
    loaded = tree.place("/sys/class/zram-control").is_dir()
    try:
        file = tree.file(zram_generator.PATH)
    except OSError:
        file = None
    return ZramFacts(
        devices=tuple(_zram_devices(reader)) if loaded else None,
        loadable=None if loaded else _loadable(reader),
        generator=any(tree.place(path).exists() for path in _GENERATORS),
        generator_file=file,
        generator_vendor=any(
            tree.place(f"{folder}/systemd/zram-generator.conf").exists() for folder in ("/usr/lib", "/lib", "/usr/local/lib", "/run")
        ),
        tools_file=tree.place("/etc/default/zramswap").exists(),
    )  # fmt: skip


def _zram_devices(reader: Reader) -> Iterator[ZramDevice]:
    for name in reader.tree.names("/sys/block"):
        size = reader.tree.text(f"/sys/block/{name}/disksize")
        if re.fullmatch(r"zram[0-9]+", name) and size is not None and size.isdecimal():
            words = (reader.tree.text(f"/sys/block/{name}/comp_algorithm") or "").split()
            chosen = [word.strip("[]") for word in sorted(words, key=lambda word: not word.startswith("["))]
            yield ZramDevice(name, int(size), tuple(chosen))


def _loadable(reader: Reader) -> bool | None:
    """Whether the running kernel has the module; None where its modules cannot be seen."""
    release = reader.tree.text("/proc/sys/kernel/osrelease")
    listing = reader.tree.text(f"/lib/modules/{release}/modules.dep")
    builtin = reader.tree.text(f"/lib/modules/{release}/modules.builtin") or ""
    if listing is None:
        return None
    return re.search(r"(^|/)zram\.ko", f"{listing}\n{builtin}", re.MULTILINE) is not None
