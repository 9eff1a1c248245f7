"""Cgroup file systems -> memory cgroups; version 1, version 2 and both side by side.

Source: Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from oomlens.host.read.procfs import pressure_of
from oomlens.host.read.pseudofiles import number, read_at, reason, text
from oomlens.kernel.cgroup_names import names_of
from oomlens.model.report import Counters, Gap
from oomlens.model.snapshot import CgroupUsage

# PAGE_COUNTER_MAX in bytes: LONG_MAX rounded down to pages up to 256 kB, of 32-bit kernels LONG_MAX pages.
_UNLIMITED_FROM = (1 << 63) - (1 << 19)
_UNLIMITED_32_BIT = ((1 << 31) - 1) * 4096
_USUAL = Path("/sys/fs/cgroup")
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The tree that limits memory.

    version: 1 or 2. place: where it is mounted. root: the cgroup that is mounted there, "/" unless a part is.
    pressure_place: a version 2 tree beside version 1, which has the pressure; else None.
    """

    version: int
    place: Path
    root: str = "/"
    pressure_place: Path | None = None

    def path_in(self, content: bytes) -> str | None:
        """The memory cgroup's path in the content of /proc/PID/cgroup."""
        for line in content.split(b"\n"):
            _, _, rest = line.partition(b":")
            controllers, _, path = rest.partition(b":")
            if (b"memory" in controllers.split(b",")) if self.version == 1 else (line.startswith(b"0::")):
                return text(path)
        return None


def find_hierarchy(cgroup: Path, proc: Path) -> Hierarchy | None:
    """The tree that limits memory, below a cgroup mount point (/sys/fs/cgroup) or wherever it is mounted; None where there is none.

    proc: for /proc/self/mountinfo, which tells where, and that only a part of the tree is mounted (containers).
    """
    mounts = list(_mounts(proc))
    unified = cgroup / "unified"
    # Places of the running system: those of another root are not to be mixed with it.
    first, second = (_place_of(mounts, kind) if cgroup == _USUAL else None for kind in ("cgroup", "cgroup2"))
    for place in (cgroup, unified, second):
        if place is not None and "memory" in _words(place / "cgroup.controllers"):
            return Hierarchy(2, place, _mounted_part(mounts, "cgroup2", place))
    for place in (cgroup / "memory", first):
        if place is not None and (place / "memory.usage_in_bytes").exists():
            beside = next((tree for tree in (unified, second) if tree and (tree / "cgroup.controllers").exists()), None)
            return Hierarchy(1, place, _mounted_part(mounts, "cgroup", place), beside)
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


class _Mount(NamedTuple):
    """root: what of the file system is mounted at the place."""

    kind: str
    root: str
    place: str


def _mounts(proc: Path) -> Iterator[_Mount]:
    """The mounted cgroup trees that can limit memory."""
    try:
        content = (proc / "self/mountinfo").read_bytes()
    except OSError:
        return
    for line in text(content).splitlines():
        mount, _, rest = line.partition(" - ")
        cells, source = mount.split(), rest.split()
        if len(cells) > 4 and (
            source[:1] == ["cgroup2"] or (source[:1] == ["cgroup"] and "memory" in source[-1].split(","))
        ):
            root, place = (_ESCAPE.sub(lambda found: chr(int(found[1], 8)), cell) for cell in cells[3:5])
            yield _Mount(source[0], root, place)


def _place_of(mounts: Sequence[_Mount], kind: str) -> Path | None:
    return next((Path(mount.place) for mount in mounts if mount.kind == kind), None)


def _mounted_part(mounts: Sequence[_Mount], kind: str, place: Path) -> str:
    """What is mounted at the place; of several trees (a container that sees the host's too) the one that is there."""
    roots = [mount.root for mount in mounts if mount.kind == kind]
    there = [mount.root for mount in mounts if mount.kind == kind and mount.place == str(place)]
    return (there or roots or ["/"])[0]


def read_cgroups(hierarchy: Hierarchy | None) -> tuple[tuple[CgroupUsage, ...], tuple[Gap, ...]]:
    """All memory cgroups, a parent before its children, and what could not be read; a vanished one is left out."""
    if hierarchy is None:
        return (), (Gap("cgroups", "no-memory-controller"),)
    found: list[CgroupUsage] = []
    gaps: list[Gap] = []
    place = os.fsencode(hierarchy.place)
    read = _read_v2 if hierarchy.version == 2 else _read_v1
    waiting: list[tuple[bytes, CgroupUsage | None]] = [(place, None)]
    while waiting:
        folder, parent = waiting.pop()
        path = _path(hierarchy.root, text(folder[len(place) :]))
        try:
            descriptor = os.open(folder, _OPEN_FOLDER)
            try:
                usage = read(_Files(descriptor), path)
            finally:
                os.close(descriptor)
            children = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            continue
        except OSError as error:
            gaps.append(Gap(f"cgroups: {path}", reason(error)))
            continue
        usage = _with_effective(usage, parent)
        if hierarchy.pressure_place is not None:
            beside = os.fsencode(hierarchy.pressure_place) + folder[len(place) :]
            usage = _with_pressure_of(usage, beside)
        found.append(usage)
        waiting += [(folder + b"/" + name, usage) for name in reversed(children)]
    return tuple(found), tuple(gaps)


def _path(root: str, below: str) -> str:
    return (root.rstrip("/") + below) or "/"


class _Files:
    """Files of one cgroup; None where there is none of that name."""

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def text(self, name: str) -> str | None:
        try:
            return text(read_at(self._folder, name))
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        value = self.text(name)
        return number(value or "")

    def counters(self, name: str) -> Counters:
        pairs = (line.partition(" ") for line in (self.text(name) or "").splitlines())
        return {name: count for name, _, value in pairs if (count := number(value)) is not None}


def _read_v2(files: _Files, path: str) -> CgroupUsage:
    limits = {name: files.text(f"memory.{name}") for name in ("max", "high", "swap.max")}
    words = {"max": "memory", "high": "high", "swap.max": "swap"}
    group = files.number("memory.oom.group")
    pressure = files.text("memory.pressure")
    return CgroupUsage(
        path=path,
        version=2,
        names=names_of(path),
        current_bytes=files.number("memory.current"),
        peak_bytes=files.number("memory.peak"),
        max_bytes=_limit(limits["max"]),
        high_bytes=_limit(limits["high"]),
        swap_current_bytes=files.number("memory.swap.current"),
        swap_max_bytes=_limit(limits["swap.max"]),
        unlimited=frozenset(words[name] for name, value in limits.items() if value is not None and value[:3] == "max"),
        oom_group=None if group is None else bool(group),
        events=files.counters("memory.events"),
        stat=files.counters("memory.stat"),
        pressure=pressure_of(pressure) if pressure is not None else None,
    )


def _limit(value: str | None) -> int | None:
    return number(value or "")


def _read_v1(files: _Files, path: str) -> CgroupUsage:
    memory, memsw = files.number("memory.limit_in_bytes"), files.number("memory.memsw.limit_in_bytes")
    unlimited = {name for name, value in (("memory", memory), ("memsw", memsw)) if _is_unlimited(value)}
    control = files.counters("memory.oom_control")
    events = {name: control[name] for name in ("oom_kill", "under_oom") if name in control}
    failures = files.number("memory.failcnt")
    if failures is not None:
        events["failcnt"] = failures
    stat, hierarchy = files.counters("memory.stat"), files.number("memory.use_hierarchy")
    return CgroupUsage(
        path=path,
        version=1,
        names=names_of(path),
        current_bytes=files.number("memory.usage_in_bytes"),
        peak_bytes=files.number("memory.max_usage_in_bytes"),
        max_bytes=None if "memory" in unlimited else memory,
        swap_current_bytes=stat.get("total_swap"),
        memsw_current_bytes=files.number("memory.memsw.usage_in_bytes"),
        memsw_max_bytes=None if "memsw" in unlimited else memsw,
        unlimited=frozenset(unlimited),
        swappiness=files.number("memory.swappiness"),
        use_hierarchy=None if hierarchy is None else bool(hierarchy),
        oom_kill_disabled=bool(control["oom_kill_disable"]) if "oom_kill_disable" in control else None,
        events=events,
        stat=stat,
    )


def _is_unlimited(value: int | None) -> bool:
    return value is not None and (value >= _UNLIMITED_FROM or value == _UNLIMITED_32_BIT)


def _tighter(own: int | None, above: int | None) -> int | None:
    return min((limit for limit in (own, above) if limit is not None), default=None)


def _with_effective(usage: CgroupUsage, parent: CgroupUsage | None) -> CgroupUsage:
    if parent is not None and parent.use_hierarchy is False:
        parent = None  # whose limits then hold for itself alone
    above = parent.effective_max_bytes if parent is not None else _limit_above(usage)
    own_is_tighter = usage.max_bytes is not None and (above is None or usage.max_bytes <= above)
    return replace(
        usage,
        effective_max_bytes=_tighter(usage.max_bytes, above),
        effective_max_path=usage.path if own_is_tighter else parent.effective_max_path if parent is not None else None,
        effective_high_bytes=_tighter(usage.high_bytes, parent.effective_high_bytes if parent is not None else None),
        effective_swap_max_bytes=_tighter(
            usage.swap_max_bytes, parent.effective_swap_max_bytes if parent is not None else None
        ),
    )


def _limit_above(usage: CgroupUsage) -> int | None:
    """What ancestors allow that are not mounted here; only version 1 tells."""
    limit = usage.stat.get("hierarchical_memory_limit")
    return None if _is_unlimited(limit) else limit


def _with_pressure_of(usage: CgroupUsage, folder: bytes) -> CgroupUsage:
    try:
        with open(folder + b"/memory.pressure", "rb") as file:  # noqa: PTH123 - bytes: a cgroup's name need not be UTF-8
            return replace(usage, pressure=pressure_of(text(file.read())))
    except OSError:
        return usage


def cgroup_of(hierarchy: Hierarchy | None) -> Callable[[bytes], str | None]:
    """`Hierarchy.path_in` that remembers: most processes share the content of /proc/PID/cgroup with others.

    Without a hierarchy the path of version 2 is taken, which systemd's units have too.
    """
    tree = hierarchy if hierarchy is not None else Hierarchy(2, Path("/"))
    known: dict[bytes, str | None] = {}

    def look_up(content: bytes) -> str | None:
        if content not in known:
            known[content] = tree.path_in(content)
        return known[content]

    return look_up
