"""Swap files: made beside their place under another name, and put there only when they are whole.

Nothing is followed, nothing that is there is replaced: the name is new (O_EXCL) or the file is not made.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from oomlens.host.write.files import sync_folder

_ZEROS = bytes(1 << 20)
_FLUSH_EVERY = 64 << 20


def partial_of(place: Path) -> Path:
    """Where it is made."""
    return place.parent / f".{place.name}.oomlens-partial"


def new_file(place: Path) -> int:
    """An empty file of ours, open. Raises OSError where there is anything of that name."""
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)  # whatever the umask
    return descriptor


def reserve(descriptor: int, size_bytes: int) -> None:
    """All blocks at once, unwritten, where the file system can. Raises OSError."""
    os.posix_fallocate(descriptor, 0, size_bytes)
    os.fsync(descriptor)


def fill(descriptor: int, size_bytes: int) -> None:
    """Zeros, written; little of them stays in the page cache, for memory is what is short. Raises OSError."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    written = 0
    while written < size_bytes:
        written += os.write(descriptor, memoryview(_ZEROS)[: size_bytes - written])
        if written % _FLUSH_EVERY == 0 or written >= size_bytes:
            os.fsync(descriptor)
            with suppress(OSError):
                os.posix_fadvise(descriptor, 0, written, os.POSIX_FADV_DONTNEED)


def write_header(descriptor: int, header: bytes) -> None:
    """The first page. Raises OSError."""
    os.pwrite(descriptor, header, 0)
    os.fsync(descriptor)


def put_in_place(partial: Path, place: Path) -> None:
    """The finished file gets its name; never one that is taken. May be repeated. Raises OSError (FileExistsError)."""
    try:
        os.link(partial, place, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(place.lstat(), partial.lstat()):
            raise
    sync_folder(place.parent)
    partial.unlink()
    sync_folder(place.parent)


def remove_regular(place: Path) -> None:
    """Removes a file, if it is there and is one. Raises OSError."""
    try:
        about = place.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(about.st_mode):
        raise OSError(22, "not a regular file", str(place))
    place.unlink()
    sync_folder(place.parent)
