"""Files are replaced whole: a reader, and a power cut, see the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PREFIX = ".oomlens-"


def replace_file(place: Path, content: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Makes a file's content `content` at once, and on the disk before it returns.

    mode: permission bits. owner: uid and gid; None: as they come. Extended attributes of the old file (SELinux labels, ACLs)
    are kept. Raises OSError, and then nothing has changed.
    """
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=place.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            _copy_attributes(place, fresh)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def remove_file(place: Path) -> None:
    """Removes a file if it is there. Raises OSError."""
    place.unlink(missing_ok=True)
    sync_folder(place.parent)


def make_folders(place: Path) -> list[Path]:
    """Makes a folder and those above it; gives those that were missing, the outermost first. Raises OSError."""
    missing: list[Path] = []
    while not place.is_dir():
        missing.insert(0, place)
        place = place.parent
    for folder in missing:
        with suppress(FileExistsError):
            folder.mkdir()
        sync_folder(folder.parent)
    return missing


def remove_empty_folders(places: Iterable[Path]) -> None:
    """Removes those that are empty, the innermost first; the others stay."""
    for place in sorted(places, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            place.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Removes what an interrupted `replace_file` left in a folder."""
    for stray in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            stray.unlink()


def sync_folder(folder: Path) -> None:
    """Names of a folder reach the disk; file systems that cannot do that are left to themselves."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_value(place: Path, value: str) -> None:
    """Writes a kernel file in one go (no replacing: it is the kernel's). Raises OSError."""
    descriptor = os.open(place, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, value.encode() + b"\n")
    finally:
        os.close(descriptor)


def _copy_attributes(old: Path, fresh: Path) -> None:
    with suppress(OSError):
        for name in os.listxattr(old):
            with suppress(OSError):
                os.setxattr(fresh, name, os.getxattr(old, name))
