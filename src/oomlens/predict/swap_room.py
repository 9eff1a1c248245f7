"""How much swap the memory of a cgroup, or of the machine, may still use: limits hold on the way down and on the way up.

Where every process is in a cgroup with memory.swap.max 0 (Kubernetes), the machine's free swap helps nobody.
Source: mm/memcontrol.c (mem_cgroup_get_nr_swap_pages, which vmscan asks before it swaps anything of a cgroup out).
"""

from __future__ import annotations

from collections.abc import Mapping

from oomlens.model.snapshot import CgroupUsage, HostMemory, Snapshot
from oomlens.predict.tree import ancestors, charged


def swappiness_of(usage: CgroupUsage, host: HostMemory) -> int | None:
    """Version 1 has one for each cgroup; version 2 takes the machine's."""
    return usage.swappiness if usage.version == 1 else host.setting("swappiness")


class SwapRoom:
    """For all cgroups of a snapshot."""

    def __init__(self, snapshot: Snapshot, usages: Mapping[str, CgroupUsage]) -> None:
        self._host, self._usages = snapshot.host, usages
        self._free = snapshot.host.meminfo.get("swap_free_bytes")
        self._own: set[str] = set()
        self._children: dict[str, set[str]] = {}
        for process in snapshot.processes:
            if process.kernel_thread or process.cgroup is None:
                continue
            below = None
            for path in ancestors(process.cgroup):
                if below is None:
                    self._own.add(path)
                else:
                    self._children.setdefault(path, set()).add(below)
                below = path

    def of_machine(self) -> int | None:
        """What all processes together may still swap; None where the free swap is unknown."""
        return self._below("/") if self._usages else self._free

    def of(self, usage: CgroupUsage) -> int | None:
        """What the processes of a cgroup may still swap."""
        above = [self._left(self._usages[path]) for path in charged(usage.path, self._usages) if path in self._usages]
        found = [self._below(usage.path), *above]
        return None if None in found else min(each for each in found if each is not None)

    def _below(self, path: str) -> int | None:
        """The cgroup's own limit, and those of the cgroups in it that have processes."""
        usage = self._usages.get(path)
        left = self._free if usage is None else self._left(usage)
        children = self._children.get(path, ())
        if path in self._own or not children or left is None:
            return left
        parts = [self._below(child) for child in children]
        return None if None in parts else min(left, sum(part or 0 for part in parts))

    def _left(self, usage: CgroupUsage) -> int | None:
        """By its own limit alone."""
        allowed, used = usage.swap_max_bytes, usage.swap_current_bytes
        if self._free is None:
            return None
        if self._free == 0 or allowed == 0 or swappiness_of(usage, self._host) == 0:
            return 0
        if allowed is None:
            return self._free
        return None if used is None else max(0, min(self._free, allowed - used))
