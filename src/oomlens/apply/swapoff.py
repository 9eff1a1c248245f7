"""Whether a swap can be turned off without killing: what it holds has to fit into RAM or other swap, and into its cgroups.

The second is a trap of its own: swapoff charges every page back to the cgroup that it was swapped out of, and where that
is at its limit the kernel kills there, however much RAM the machine has free (measured, 6.18, cgroup version 1).
"""

from __future__ import annotations

from oomlens.apply.machine import Machine
from oomlens.host.read.cgroupfs import find_hierarchy, read_cgroups
from oomlens.i18n import message
from oomlens.kernel.proc_swaps import swaps_of
from oomlens.model.plan import Text
from oomlens.model.snapshot import CgroupUsage, Swap

# Cache that a cgroup can drop to make room; shmem is not among these.
_CACHE = ("active_file", "inactive_file", "total_active_file", "total_inactive_file")


def swap_named(name: str, machine: Machine) -> Swap | None:
    """The swap that is on under that name in /proc/swaps; None where none is."""
    return next((swap for swap in swaps_of(machine.tree.text("/proc/swaps") or "") if swap.name == name), None)


def swapoff_problem(name: str, machine: Machine) -> Text | None:
    """Why turning it off would kill or fail; None where it is off or nothing speaks against it."""
    swaps = swaps_of(machine.tree.text("/proc/swaps") or "")
    swap = next((one for one in swaps if one.name == name), None)
    if swap is None or not swap.used_bytes:
        return None
    elsewhere = sum(one.size_bytes - one.used_bytes for one in swaps if one.name != name)
    available = _available_bytes(machine)
    if available is not None and swap.used_bytes > available + elsewhere:
        return Text(
            message("{swap} holds {used_bytes}, but only {available_bytes} of RAM are available to take them back"),
            {"swap": name, "used_bytes": swap.used_bytes, "available_bytes": available},
        )
    return _cgroup_problem(swap, elsewhere, machine)


def _available_bytes(machine: Machine) -> int | None:
    for line in (machine.tree.text("/proc/meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_problem(swap: Swap, elsewhere: int, machine: Machine) -> Text | None:
    root = machine.tree.root
    cgroups, _ = read_cgroups(find_hierarchy(root / "sys/fs/cgroup", root / "proc"))
    for usage in cgroups:
        swapped = min(usage.swap_current_bytes or 0, swap.used_bytes)
        limit = usage.max_bytes
        if not swapped or limit is None or usage.current_bytes is None:
            continue
        need = usage.current_bytes - _cache_bytes(usage) + swapped
        if need > limit + elsewhere:
            return Text(
                message(
                    "the memory cgroup {cgroup} has {swapped_bytes} in swap and a limit of {limit_bytes}: turning {swap} off"
                    " would take it {over_bytes} over that, and the kernel would kill in it; raise the limit or end it first"
                ),
                {
                    "cgroup": usage.path,
                    "swapped_bytes": swapped,
                    "limit_bytes": limit,
                    "swap": swap.name,
                    "over_bytes": need - limit,
                },
            )
    return None


def _cache_bytes(usage: CgroupUsage) -> int:
    total = usage.version == 1
    return sum(usage.stat.get(name, 0) for name in (_CACHE[2:] if total else _CACHE[:2]))
