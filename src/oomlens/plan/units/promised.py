"""What others were promised: limits that are set beside one cgroup, each counted once."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.model.snapshot import CgroupUsage


def promised_bytes(cgroups: Sequence[CgroupUsage], path: str | None) -> int:
    """The sum of the limits of all cgroups that neither are `path`, nor above or below it; of nested limits the outermost."""
    total = 0
    counted: list[str] = []
    for usage in sorted(cgroups, key=lambda each: len(each.path)):
        if (
            usage.max_bytes is None
            or _related(usage.path, path)
            or any(_inside(usage.path, above) for above in counted)
        ):
            continue
        counted.append(usage.path)
        total += usage.max_bytes
    return total


def _inside(path: str, above: str) -> bool:
    return path == above or path.startswith(above.rstrip("/") + "/")


def _related(path: str, other: str | None) -> bool:
    return other is not None and (_inside(path, other) or _inside(other, path))
