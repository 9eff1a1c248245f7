"""What is set for a container: as its engine says, and as the kernel's own files say. A container's state, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oomlens.host.read.cgroupfs import find_hierarchy
from oomlens.host.read.container_engine import Engine
from oomlens.host.read.tree import Tree
from oomlens.model.container import UNLIMITED, Limits, limit_of
from oomlens.model.plan import Json
from oomlens.plan.actions.container_update import values_of


def said_limits(inspected: Mapping[str, Any]) -> Limits:
    """As the engine says (HostConfig of ContainerInspect)."""
    host = inspected.get("HostConfig") or {}
    memory = limit_of(host.get("Memory"))
    memsw = UNLIMITED if memory == UNLIMITED else limit_of(host.get("MemorySwap"))
    pids = host.get("PidsLimit")
    return Limits(memory, memsw, UNLIMITED if pids is None or pids <= 0 else int(pids))


def kernel_limits(inspected: Mapping[str, Any], tree: Tree) -> Limits | None:
    """As the files of its cgroup say; None where it does not run, or its cgroup is not this machine's."""
    folders = cgroup_folders(inspected, tree)
    if folders is None:
        return None
    memory_folder, pids_folder = folders
    if tree.text(f"{memory_folder}/memory.max") is not None:  # version 2
        memory = _limit(tree, f"{memory_folder}/memory.max")
        swap = _limit(tree, f"{memory_folder}/memory.swap.max")
        memsw = UNLIMITED if UNLIMITED in (memory, swap) else None if memory is None or swap is None else memory + swap
    else:
        memory = _limit(tree, f"{memory_folder}/memory.limit_in_bytes")
        memsw = _limit(tree, f"{memory_folder}/memory.memsw.limit_in_bytes")
    return Limits(memory, memsw, None if pids_folder is None else _limit(tree, f"{pids_folder}/pids.max"))


def cgroup_path(inspected: Mapping[str, Any], tree: Tree) -> str | None:
    """Its memory cgroup, as /proc/PID/cgroup shows it; None where it does not run, or runs on another machine."""
    pid, container_id = int((inspected.get("State") or {}).get("Pid") or 0), str(inspected.get("Id") or "?")
    hierarchy = find_hierarchy(tree.place("/sys/fs/cgroup"), tree.place("/proc"))
    if not pid or hierarchy is None:
        return None
    path = hierarchy.path_in((tree.text(f"/proc/{pid}/cgroup") or "").encode("utf-8", "surrogateescape"))
    # A pid of an engine in another pid namespace is another process's here.
    return path if path is not None and container_id in path else None


def cgroup_folders(inspected: Mapping[str, Any], tree: Tree) -> tuple[str, str | None] | None:
    """Folders of its memory cgroup, and of that which counts its processes, below the tree's root."""
    path = cgroup_path(inspected, tree)
    hierarchy = find_hierarchy(tree.place("/sys/fs/cgroup"), tree.place("/proc"))
    if path is None or hierarchy is None:
        return None
    base = "/sys/fs/cgroup" + {"memory": "/memory", "unified": "/unified"}.get(hierarchy.place.name, "")
    below = path.removeprefix(hierarchy.root.rstrip("/"))
    if hierarchy.version == 2:
        return base + below, base + below
    lines = (tree.text(f"/proc/{inspected['State']['Pid']}/cgroup") or "").splitlines()
    pids = next((line.split(":", 2)[2] for line in lines if "pids" in line.split(":", 2)[1].split(",")), None)
    return base + below, None if pids is None else f"/sys/fs/cgroup/pids{pids}"


def _limit(tree: Tree, path: str) -> int | None:
    text = tree.text(path)
    if text is None:
        return None
    if text == "max":
        return UNLIMITED
    return limit_of(int(text)) if text.isdecimal() and text != "0" else 0 if text == "0" else None


def state_of(engine: Engine, container_id: str, name: str, tree: Tree) -> Json:
    """The state of a container, as `oomlens.plan.actions.container_update` has it. Raises EngineError."""
    inspected = engine.inspect(container_id)
    if inspected is None:
        other = engine.inspect(name)
        recreated = {} if other is None else {"recreated_as": str(other.get("Id"))}
        return {"gone": True, **recreated}
    kernel = kernel_limits(inspected, tree)
    said = values_of(said_limits(inspected))
    return said if kernel is None else {**said, **{f"kernel_{key}": value for key, value in values_of(kernel).items()}}
