"""What a container holds now, as its engine says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from oomlens.host.read.container_engine import Engine, EngineError


class Usage(NamedTuple):
    """held_bytes: without file cache that is not in use; peak_bytes: cgroup v1 only; None where it is not told."""

    held_bytes: int | None = None
    swap_bytes: int | None = None
    peak_bytes: int | None = None


def usage_of(stats: Mapping[str, Any]) -> Usage:
    """From ContainerStats: `usage - inactive_file`, as `docker stats` shows it."""
    memory = stats.get("memory_stats") or {}
    parts, usage = memory.get("stats") or {}, memory.get("usage")
    if not usage:
        return Usage()
    idle = parts.get("total_inactive_file", parts.get("inactive_file", 0))
    return Usage(max(0, int(usage) - int(idle)), parts.get("total_swap"), memory.get("max_usage") or None)


def in_use(engine: Engine, container_id: str) -> int | None:
    """Bytes that a running container holds; None where it does not run, or cannot be asked."""
    try:
        return usage_of(engine.stats(container_id)).held_bytes
    except EngineError:
        return None
