"""Live reading: streams that give bytes as they arrive; files that grow, are renamed and begun anew, or cut short."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from oomlens.host.read.source import ByteStream

_READ_BYTES = 256 << 10
# How often growing files are looked at; pipes and /dev/kmsg wake the poll themselves.
POLL_SECONDS = 0.02
BUSY_SECONDS = 15.0


class Arrived(NamedTuple):
    """Bytes of one source; empty where nothing came for a while."""

    source: str
    data: bytes


class Live(Protocol):
    """A live source: a name, and a stream that gives what is there and b"" where there is nothing now."""

    name: str

    def arrived(self) -> bytes: ...

    def fileno(self) -> int | None: ...

    def close(self) -> None: ...

    @property
    def ended(self) -> bool: ...


class LiveStream:
    """A pipe, /dev/kmsg or a program's output."""

    def __init__(self, name: str, stream: ByteStream, fd: int) -> None:
        self.name = name
        self._stream = stream
        self._fd = fd
        self.ended = False
        # /dev/kmsg gives nothing where it has nothing; a pipe that gives nothing has ended.
        self._is_device = stat.S_ISCHR(os.fstat(fd).st_mode)

    def fileno(self) -> int | None:
        return None if self.ended else self._fd

    def arrived(self) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], 0)
        if not ready:
            return b""
        data = self._stream.read(_READ_BYTES)
        if not data and not self._is_device:
            self.ended = True
        return data

    def close(self) -> None:
        """Ends the program, or gives the device back."""
        self.ended = True
        self._stream.close()


class GrowingFile:
    """A log file from its end on: what is appended, across rotation by rename and by truncation."""

    ended = False

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        self.name = str(path)
        self._path = path
        self._fd: int | None = None
        self._inode = 0
        self._position = 0
        self._open(at_end=not from_start)

    def _open(self, *, at_end: bool) -> None:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = None
            return
        status = os.fstat(self._fd)
        self._inode = status.st_ino
        self._position = status.st_size if at_end else 0

    def fileno(self) -> int | None:
        return None  # regular files are always ready; they are looked at in turn

    def close(self) -> None:
        """Gives the file back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def arrived(self) -> bytes:
        if self._fd is None:
            self._open(at_end=False)
            if self._fd is None:
                return b""
        data = self._read()
        if data:
            return data
        try:
            status = self._path.stat()
        except OSError:
            return b""  # renamed, and not begun anew yet
        if status.st_ino != self._inode:
            data = self._read()  # what was written between the last read and the rename
            os.close(self._fd)
            self._open(at_end=False)
            return data or self._read()
        return b""

    def _read(self) -> bytes:
        if self._fd is None:
            return b""
        size = os.fstat(self._fd).st_size
        if size < self._position:
            self._position = 0  # cut short by copytruncate
        data = os.pread(self._fd, _READ_BYTES, self._position)
        self._position += len(data)
        return data


def follow(lives: Sequence[Live], *, poll_seconds: float = POLL_SECONDS) -> Iterator[Arrived]:
    """What arrives, as it arrives, from all sources; an empty `Arrived` after each quiet moment. Ends when all have ended.

    Waits in the kernel: a machine at rest costs a file look-up per growing file every `poll_seconds`, nothing for pipes.
    """
    last = float("-inf")
    while True:
        waiting = [fd for live in lives if (fd := live.fileno()) is not None]
        files = any(live.fileno() is None and not live.ended for live in lives)
        if not waiting and not files:
            return
        if waiting:
            # After an arrival the reader wants to know that nothing more comes; a machine at rest is not woken.
            busy = time.monotonic() - last < BUSY_SECONDS
            select.select(waiting, [], [], poll_seconds if files or busy else None)
        else:
            time.sleep(poll_seconds)
        quiet = True
        for live in lives:
            data = live.arrived()
            if data:
                quiet = False
                last = time.monotonic()
                yield Arrived(live.name, data)
        if quiet:
            yield Arrived("", b"")
