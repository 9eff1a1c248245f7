"""What is at a path where a swap file is wanted, and what it lies on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oomlens.host.read.mounts import Mount, mount_of
from oomlens.host.read.reader import Reader
from oomlens.host.read.swap_header import header_of
from oomlens.plan.swap.facts import Place

# Inode of the root of every btrfs subvolume (BTRFS_FIRST_FREE_OBJECTID).
_SUBVOLUME_INODE = 256


def stats_of(place: Path) -> os.stat_result | None:
    """lstat; None where there is nothing, or it may not be seen."""
    try:
        return place.lstat()
    except OSError:
        return None


def read_place(path: str, reader: Reader, mounts: tuple[Mount, ...]) -> Place:
    """The place; what cannot be read stays unknown."""
    folder = path.rpartition("/")[0] or "/"
    outer = reader.tree.root if folder == "/" else reader.tree.root / folder.lstrip("/")
    if not path.startswith("/") or not outer.is_dir():
        return Place(path, folder_present=False)
    real = _inner(outer.resolve(), reader)
    mount = mount_of(real, mounts)
    free, total = _room(outer)
    kind, size, mode = _present(outer / path.rpartition("/")[2])
    return Place(
        path=path,
        real_folder=real,
        loose_folder=_loose(real, reader),
        file_system=mount.file_system if mount is not None else None,
        source=mount.source if mount is not None else "",
        mount_point=mount.mount_point if mount is not None else None,
        read_only=mount is not None and mount.read_only,
        free_bytes=free,
        total_bytes=total,
        present=kind,
        present_bytes=size,
        present_mode=mode,
        own_subvolume=_own_subvolume(outer, path) if mount is not None and mount.file_system == "btrfs" else None,
    )


def _inner(real: Path, reader: Reader) -> str:
    """A path of the outer file system as the machine below the root sees it."""
    root = reader.tree.root.resolve()
    return f"/{real.relative_to(root)}".removesuffix("/.") or "/" if real.is_relative_to(root) else str(real)


def _room(folder: Path) -> tuple[int | None, int | None]:
    try:
        about = os.statvfs(folder)
    except OSError:
        return None, None
    return about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize


def _loose(folder: str, reader: Reader) -> str | None:
    """The first folder on the way where others than root may rename or remove what is not theirs."""
    parts = [part for part in folder.split("/") if part]
    for count in range(len(parts) + 1):
        path = "/" + "/".join(parts[:count])
        about = stats_of(reader.tree.root / path.lstrip("/"))
        if about is None:
            continue
        writable = about.st_mode & (stat.S_IWOTH | (stat.S_IWGRP if about.st_gid else 0))
        if (writable and not about.st_mode & stat.S_ISVTX) or about.st_uid not in (0, os.geteuid()):
            return path
    return None


def _present(place: Path) -> tuple[str, int | None, int | None]:
    try:
        about = place.lstat()
    except FileNotFoundError:
        return "absent", None, None
    except OSError:
        return "unknown", None, None
    size, mode = about.st_size, stat.S_IMODE(about.st_mode)
    if not stat.S_ISREG(about.st_mode):
        kinds = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}
        return kinds.get(stat.S_IFMT(about.st_mode), "other"), size, mode
    try:
        return ("file" if header_of(place) is None else "swap"), size, mode
    except OSError:
        return "unknown", size, mode


def _own_subvolume(folder: Path, path: str) -> bool | None:
    """Whether the folder is a subvolume's root that holds nothing but swap files beside ours."""
    about = stats_of(folder)
    if about is None or about.st_ino != _SUBVOLUME_INODE or folder.parent == folder:
        return False
    try:
        others = [entry for entry in folder.iterdir() if entry.name != path.rpartition("/")[2]]
        return all(entry.is_file() and header_of(entry) is not None for entry in others)
    except OSError:
        return None
