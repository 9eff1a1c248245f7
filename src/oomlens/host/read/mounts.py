"""/proc/self/mountinfo -> which file system a path is on; see proc(5)."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.kernel.octal import decoded


class Mount(NamedTuple):
    """mount_point as seen from the root that the table belongs to. options: of the mount and of the file system."""

    mount_point: str
    file_system: str
    source: str
    options: frozenset[str]

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written there."""
        return "ro" in self.options


def mounts_of(mountinfo: str) -> tuple[Mount, ...]:
    """The mounts, in the order they were made; lines that are none are left out."""
    found: list[Mount] = []
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        cells, rest = left.split(" "), right.split(" ")
        if separator and len(cells) > 5 and len(rest) > 1:
            options = {*cells[5].split(","), *(rest[2].split(",") if len(rest) > 2 else ())}
            found.append(Mount(decoded(cells[4]), rest[0], decoded(rest[1]), frozenset(options)))
    return tuple(found)


def mount_of(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that a path (without links) is on: the longest mount point, of several the last one."""
    best: Mount | None = None
    for mount in mounts:
        point = mount.mount_point.rstrip("/")
        inside = path == point or path.startswith(f"{point}/")
        if inside and (best is None or len(point) >= len(best.mount_point.rstrip("/"))):
            best = mount
    return best
