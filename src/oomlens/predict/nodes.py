"""Memory nodes: what they hold, and who may use them. Source: mm/oom_kill.c (constrained_alloc, oom_cpuset_eligible),
mm/mempolicy.c (mempolicy_in_oom_domain)."""

from __future__ import annotations

import re
from collections.abc import Callable

from oomlens.kernel.badness import version_of
from oomlens.model.report import Gap, Share
from oomlens.model.snapshot import HostMemory, Process
from oomlens.predict.distance import Distance

_RANGES = re.compile(r"[0-9]{1,4}(?:-[0-9]{1,4})?(?:,[0-9]{1,4}(?:-[0-9]{1,4})?)*")
_COUNTED = (
    ("free", ("mem_free_bytes",)),
    ("file_cache", ("active_file_bytes", "inactive_file_bytes")),
    ("slab_reclaimable", ("sreclaimable_bytes",)),
)


def numbers_of(ranges: str) -> frozenset[int]:
    """`0-1,3` -> {0, 1, 3}; nothing where it is no such list."""
    if not _RANGES.fullmatch(ranges.strip()):
        return frozenset()
    bounds = [part.split("-") for part in ranges.strip().split(",")]
    return frozenset(number for bound in bounds for number in range(int(bound[0]), int(bound[-1]) + 1))


def may_use(process: Process, nodes: frozenset[int]) -> bool:
    """Whether its cpuset has one of the nodes; one whose cpuset is unknown counts."""
    return process.mems_allowed is None or bool(numbers_of(process.mems_allowed) & nodes)


def bound_by_policy(release: str | None) -> Callable[[Process, frozenset[int]], bool]:
    """Like `may_use` for an allocation with a memory policy: whether one of its threads may have memory of the nodes.

    Only tasks that are themselves bound (MPOL_BIND, up to 5.13 MPOL_INTERLEAVE too) are passed over; unread ones count.
    """
    version = version_of(release)
    binding = ("bind",) if version is None or version >= (5, 14) else ("bind", "interleave")

    def may(process: Process, nodes: frozenset[int]) -> bool:
        parts = [policy.partition(":") for policy in process.mempolicies or ("default",)]
        return any(
            re.split(r"[=(]", mode)[0].strip() not in binding or bool(numbers_of(bound) & nodes)
            for mode, _, bound in parts
        )

    return may


def present_bytes(host: HostMemory, nodes: frozenset[int]) -> int | None:
    """Present pages of the nodes; None where there is no such node or it does not say."""
    parts = [zone.counters.get("present_bytes") for zone in host.zones or () if zone.node in nodes]
    return None if not parts or None in parts else sum(part or 0 for part in parts)


def of_nodes(host: HostMemory, nodes: frozenset[int], swappable: int | None) -> Distance:
    """What is free or can be dropped on the nodes, and the free swap as far as processes may use it."""
    counters = [node.counters for node in host.nodes or () if node.node in nodes]
    parts = [
        Share(name, sum(each[key] for each in counters for key in keys))
        for name, keys in _COUNTED
        if all(key in each for each in counters for key in keys)
    ]
    if len(counters) != len(nodes) or swappable is None or len(parts) < len(_COUNTED):
        return Distance(None, tuple(parts) if counters else (), (Gap("distance_bytes", "not-provided"),))
    parts.append(Share("swap_free", swappable))
    return Distance(sum(part.bytes for part in parts), tuple(parts))
