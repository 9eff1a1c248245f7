"""The cgroup tree: which cgroups a process is charged to. Source: mm/memcontrol.c (try_charge, mem_cgroup_scan_tasks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oomlens.model.snapshot import CgroupUsage

_DELETED = " (deleted)"


def ancestors(path: str | None) -> Iterator[str]:
    """A cgroup's path and everything above it, "/" last; nothing where it is unknown or outside of what is seen."""
    if path is None or path.startswith("/.."):
        return
    path = path.removesuffix(_DELETED)
    while path not in ("", "/"):
        yield path
        path = path.rpartition("/")[0]
    yield "/"


def charged(path: str | None, usages: Mapping[str, CgroupUsage]) -> Iterator[str]:
    """The cgroups whose limits hold for what is in a cgroup: itself and what is above it.

    Version 1 before 5.11: only as far as memory.use_hierarchy is set above.
    """
    for number, each in enumerate(ancestors(path)):
        usage = usages.get(each)
        if number and usage is not None and usage.use_hierarchy is False:
            return
        yield each
