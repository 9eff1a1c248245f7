"""Cgroups as scopes and as objects: v2, v1 and hybrid, by what is there."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.files import Kept, number, page_counters, slurp, slurp_all, stall_us, there, whole
from oomlens.policy.match import matches
from oomlens.policy.sample import Sample

_UNLIMITED = 1 << 60
_MOST_FOLDERS = 4000


class Hierarchy:
    """Where the memory controller is mounted. v2: "memory.max" and pressure; v1: "memory.limit_in_bytes"."""

    __slots__ = ("lowered", "mount", "pressure_mount", "v2")

    def __init__(self, root: str = "") -> None:
        base = root + "/sys/fs/cgroup"
        controllers = slurp(base + "/cgroup.controllers") or b""
        self.v2 = b"memory" in controllers.split()
        self.mount = base if self.v2 or not there(base + "/memory") else base + "/memory"
        # memory.high files that the guard itself has lowered, and what was there: its own brake is no shortage.
        self.lowered: dict[str, int | None] = {}
        # On a hybrid machine pressure is on the v2 side.
        self.pressure_mount = base if self.v2 else base + "/unified"

    def path(self, cgroup: str) -> str:
        """The folder of a cgroup path ("/" is the root)."""
        return self.mount + cgroup.rstrip("/")

    def contained(self) -> bool:
        """Whether the root that is seen here has a limit: the machine's own root never has one, a container's has (cgroup namespace)."""
        if self.v2:
            return whole(slurp(self.mount + "/memory.max", 64)) is not None
        limit = whole(slurp(self.mount + "/memory.limit_in_bytes", 64))
        return limit is not None and limit < _UNLIMITED

    def of(self, content: bytes) -> str | None:
        """The memory controller's path in the text of /proc/PID/cgroup."""
        found = None
        for line in content.split(b"\n"):
            parts = line.split(b":", 2)
            if len(parts) == 3 and ((not parts[1] and found is None) or b"memory" in parts[1].split(b",")):
                found = os.fsdecode(parts[2])  # any bytes: it has to be a path again
        return found

    def find(self, patterns: list[str], most: int) -> list[str]:
        """Cgroups that match one of the globs, at most so many; a path without a star is taken as it is."""
        found = [pattern for pattern in patterns if not any(sign in pattern for sign in "*?[")]
        globs = [pattern for pattern in patterns if any(sign in pattern for sign in "*?[")]
        depth = max((pattern.count("/") for pattern in globs), default=0)
        todo, seen = [("", 0)] if globs else [], 0
        while todo and len(found) < most and seen < _MOST_FOLDERS:
            cgroup, level = todo.pop()
            for name in _folders(self.mount + cgroup):
                seen += 1
                below = f"{cgroup}/{name}"
                if any(matches(pattern, below) for pattern in globs):
                    found.append(below)
                elif level + 1 < max(depth, 6):
                    todo.append((below, level + 1))
        return found[:most]

    def pids(self, cgroup: str) -> list[int]:
        """Processes of a cgroup and all below it."""
        found: list[int] = []
        todo, seen = [self.path(cgroup)], 0
        while todo and seen < _MOST_FOLDERS:
            folder = todo.pop()
            seen += 1
            found += [int(word) for word in slurp_all(folder + "/cgroup.procs").split() if word.isdigit()]
            todo += [f"{folder}/{name}" for name in _folders(folder)]
        return found


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


class Group:
    """One cgroup as a scope. Its sample is of the tightest limit above it: what is left there is all that it can still take."""

    def __init__(self, hierarchy: Hierarchy, cgroup: str) -> None:
        self.cgroup_root = cgroup
        self._hierarchy = hierarchy
        v2 = hierarchy.v2
        names = ("memory.current", "memory.stat") if v2 else ("memory.usage_in_bytes", "memory.stat")
        self._levels: list[tuple[str, Kept, Kept]] = []
        path = cgroup.rstrip("/")
        while True:
            folder = hierarchy.mount + path
            if there(f"{folder}/{names[0]}"):
                self._levels.append((folder, Kept(f"{folder}/{names[0]}", 64), Kept(f"{folder}/{names[1]}", 8192)))
            if not path:
                break
            path = path.rpartition("/")[0]
        own = hierarchy.path(cgroup)
        side = own if v2 else hierarchy.pressure_mount + cgroup.rstrip("/")
        self.pressure_path = side + "/memory.pressure"
        self._memory = Kept(self.pressure_path, 256)
        self._io = Kept(side + "/io.pressure", 256)
        self._events = own + ("/memory.events" if v2 else "/memory.oom_control")
        self.oom_kills: int | None = None

    def sample(self, *, close: bool, harm: dict[str, int] | None = None) -> Sample | None:
        """One look; None where no limit holds it, or it is gone."""
        tightest: tuple[int, int, str, bytes] | None = None
        for folder, usage, stat in self._levels:
            limit = self._limit(folder)
            used = whole(usage.read())
            if limit is None or used is None:
                continue
            content = stat.read()
            available = max(0, limit - used + _reclaimable(content, v2=self._hierarchy.v2))
            if tightest is None or available < tightest[0]:
                tightest = (min(available, limit), limit, folder, content)
        if tightest is None:
            return None
        available, limit, folder, content = tightest
        swap_total, swap_free = self._swap(folder, limit)
        now = time.monotonic()
        if not close:
            return Sample(now, limit // 1024, available // 1024, swap_total // 1024, swap_free // 1024)
        self.oom_kills = number(slurp(self._events) or b"", b"oom_kill ")
        return Sample(
            now, limit // 1024, available // 1024, swap_total // 1024, swap_free // 1024,
            **page_counters(content),
            memory_stall_us=stall_us(self._memory.read()),
            io_stall_us=stall_us(self._io.read()),
            harm_stall_us=harm,
        )  # fmt: skip

    def pids(self) -> list[int]:
        """Every process in it."""
        return self._hierarchy.pids(self.cgroup_root)

    def close(self) -> None:
        """Gives the descriptors back."""
        for _, usage, stat in self._levels:
            usage.close()
            stat.close()
        self._memory.close()
        self._io.close()

    def _limit(self, folder: str) -> int | None:
        if not self._hierarchy.v2:
            limit = whole(slurp(folder + "/memory.limit_in_bytes", 64))
            return None if limit is None or limit >= _UNLIMITED else limit
        high = folder + "/memory.high"
        lowered = self._hierarchy.lowered
        limits = [
            whole(slurp(folder + "/memory.max", 64)),
            lowered[high] if high in lowered else whole(slurp(high, 64)),
        ]
        known = [limit for limit in limits if limit is not None]
        return min(known) if known else None

    def _swap(self, folder: str, limit: int) -> tuple[int, int]:
        """(total, free) bytes of swap that it may take. No limit of its own: what the machine has counts, and that is not its matter."""
        if self._hierarchy.v2:
            most, used = (
                whole(slurp(folder + "/memory.swap.max", 64)),
                whole(slurp(folder + "/memory.swap.current", 64)),
            )
            return (most, max(0, most - used)) if most and used is not None else (0, 0)
        both, used = (
            whole(slurp(folder + "/memory.memsw.limit_in_bytes", 64)),
            whole(slurp(folder + "/memory.memsw.usage_in_bytes", 64)),
        )
        if both is None or used is None or both >= _UNLIMITED or both <= limit:
            return 0, 0
        memory = whole(slurp(folder + "/memory.usage_in_bytes", 64)) or 0
        return both - limit, max(0, (both - limit) - max(0, used - memory))


def _reclaimable(stat: bytes, *, v2: bool) -> int:
    """Bytes that reclaim gets without harm: file pages that are not used, half of those that are, half of the slab that can shrink."""
    prefix = b"" if v2 else b"total_"
    inactive, active = number(stat, prefix + b"inactive_file ") or 0, number(stat, prefix + b"active_file ") or 0
    return inactive + active // 2 + (number(stat, b"slab_reclaimable ") or 0) // 2
