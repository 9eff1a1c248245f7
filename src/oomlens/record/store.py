"""The history on the disk: files that are only appended to, bounded, and safe against a power cut at any byte.

A recorder always begins a file of its own and never writes into an older one, so nothing has to be repaired.
What was written is handed to the kernel at once (it survives SIGKILL) and to the disk now and then (it survives a power cut).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from oomlens.host.read.history import DAMAGED_SUFFIX, MOST_FILE_BYTES, files_of
from oomlens.model.history import Begin, Kill, Sample
from oomlens.model.history_codec import (
    MAGIC,
    SUFFIX,
    Damage,
    FrameKind,
    HistoryError,
    begin_from_content,
    begin_to_content,
    frame,
    kill_to_dict,
    pack,
    pack_bytes,
    split,
)
from oomlens.model.sample_codec import SampleEncoder
from oomlens.record.retention import Keep, Stored, surplus

# A file ends after an hour, or with a sixteenth of the room.
FILE_SECONDS = 3600.0
FILE_SHARE = 16
# Every so many samples one stands for itself, so that damage costs no more than these.
WHOLE_EVERY = 64
# How long what was recorded may be lost with the power: at rest, and under pressure.
SYNC_SECONDS, QUICK_SYNC_SECONDS = 60.0, 5.0
LEAST_BYTES = 1 << 20
_LOCK = "lock"

Tell = Callable[[str, str], None]


class StoreError(Exception):
    """The history cannot be written. reference: kebab-case, stable; place: what it is about."""

    def __init__(self, reference: str, place: Path, detail: str = "") -> None:
        super().__init__(f"{place}: {detail or reference}")
        self.reference = reference
        self.place = place
        self.detail = detail


class Full(Exception):  # noqa: N818 - not an error: recording pauses
    """Nothing may be written just now, so as not to fill the disk."""


class Store:
    """One recorder's place. Raises StoreError where it cannot begin; later failures raise OSError or Full, and can be tried again."""

    def __init__(self, folder: Path, keep: Keep, *, tell: Tell) -> None:
        """tell: called with "set-aside" and the name of a file that turned out to be damaged."""
        self.folder = folder
        self._keep = keep
        self._tell = tell
        self._file: int | None = None
        self._files: list[Stored] = []
        self._encoder = SampleEncoder()
        self._number = 0
        self._begun = self._last = 0.0
        self._unsynced_since: float | None = None
        self._ceiling: int | None = None
        self._lock = self._locked()
        self._take_stock()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(one.size_bytes for one in self._files)

    @property
    def is_open(self) -> bool:
        """Whether a file was begun and not ended."""
        return self._file is not None

    def _locked(self) -> int:
        try:
            self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        except (FileExistsError, NotADirectoryError) as error:
            raise StoreError("not-a-folder", self.folder) from error
        except OSError as error:
            raise StoreError("not-writable", self.folder, error.strerror or "") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise StoreError("locked", self.folder, owner) from error
        os.ftruncate(lock, 0)
        with suppress(OSError):  # a full disk is dealt with when there is something to record
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _take_stock(self) -> None:
        """What is there already; files that are damaged, not just cut short, are set aside: still read, never trusted."""
        for file in files_of(self.folder):
            self._number = max(self._number, _number_of(file.name))
            try:
                there = file.lstat()
                whole = stat.S_ISREG(there.st_mode) and there.st_size <= MOST_FILE_BYTES
                data = file.read_bytes() if whole else b""
            except OSError:
                there, data = None, b""
            if file.name.endswith(SUFFIX) and (there is None or not data.startswith(MAGIC) or _is_damaged(data)):
                file = self._set_aside(file)
            if there is not None:
                self._files.append(_stored(file.name, there.st_size, data, there.st_mtime))

    def _set_aside(self, file: Path) -> Path:
        aside = file.with_name(file.name.removesuffix(SUFFIX) + DAMAGED_SUFFIX)
        try:
            file.replace(aside)
        except OSError as error:
            raise StoreError("not-writable", file, error.strerror or "") from error
        self._tell("set-aside", str(aside))
        return aside

    def begin(self, begin: Begin) -> None:
        """Ends the file in use and begins the next. Raises OSError, Full."""
        self.end()
        head = MAGIC + frame(FrameKind.BEGIN, begin_to_content(begin))
        self._number += 1
        self._make_room(len(head), in_use=False)
        name = f"{self._number:08}{SUFFIX}"
        self._file = os.open(
            self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        self._files.append(Stored(name, 0, 0.0))
        self._begun = self._last = begin.time_seconds
        self._encoder = SampleEncoder()
        try:
            self._write(head)
        except OSError:
            os.close(self._file)
            self._file = None
            self._files.pop()
            (self.folder / name).unlink(missing_ok=True)
            raise

    def needs_new_file(self) -> bool:
        """Whether the file in use has had its time or size."""
        used = self._files[-1]
        return used.recorded_seconds >= FILE_SECONDS or used.size_bytes >= self._keep.size_bytes // FILE_SHARE

    def add_sample(self, sample: Sample) -> int:
        """Appends a sample; gives its bytes. Raises OSError, Full; then the next sample stands for itself."""
        whole = self._encoder.number % WHOLE_EVERY == 0
        try:
            data = self._encoder.encode(sample, whole=whole)
            coded = frame(FrameKind.WHOLE, pack_bytes(data)) if whole else frame(FrameKind.SAMPLE, data)
            self._append(coded)
        except (OSError, Full):
            self._encoder = SampleEncoder()
            raise
        self._note(seconds=sample.time_seconds)
        return len(coded)

    def add_kill(self, kill: Kill, before: bytes | None) -> int:
        """Appends a kill, and in front of it the content of the snapshot before it where it is not in the file yet; to the disk.

        Raises OSError, Full.
        """
        coded = frame(FrameKind.KILL, pack(kill_to_dict(kill)))
        if before is not None and len(before) + len(coded) <= self._keep.size_bytes // 4:
            coded = frame(FrameKind.BEFORE, before) + coded
        self._append(coded)
        self._note(kills=1)
        self.sync()
        return len(coded)

    def _append(self, coded: bytes) -> None:
        self._make_room(len(coded), in_use=True)
        self._write(coded)

    def _write(self, coded: bytes) -> None:
        """Writes a frame whole or, where the disk refuses, not at all."""
        if self._file is None:
            raise OSError(errno.EBADF, "no file is open")
        size = self._files[-1].size_bytes
        view = memoryview(coded)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, size)
            raise
        self._files[-1] = self._files[-1]._replace(size_bytes=size + len(coded))

    def _note(self, *, seconds: float | None = None, kills: int = 0) -> None:
        used = self._files[-1]
        if seconds is not None:
            self._last = max(self._last, seconds)
        self._files[-1] = used._replace(recorded_seconds=self._last - self._begun, kills=used.kills + kills)

    def _make_room(self, coming: int, *, in_use: bool) -> None:
        """Removes what has to go. Raises Full where even then nothing may be written."""
        files = self._files if in_use else [*self._files, Stored("", 0, 0.0)]
        limit = self._limit()
        for name in surplus(files, self._keep._replace(size_bytes=limit), coming):
            with suppress(FileNotFoundError):
                (self.folder / name).unlink()
            self._files = [one for one in self._files if one.name != name]
        if self.size_bytes + coming > limit:
            raise Full

    def _limit(self) -> int:
        """The room there is: the given one, or what is used already while the file system is nearly full."""
        there = os.statvfs(self.folder)
        free, reserve = there.f_bavail * there.f_frsize, min(1 << 30, there.f_blocks * there.f_frsize // 20)
        if free >= reserve:
            self._ceiling = None
            return self._keep.size_bytes
        if self._ceiling is None:
            self._ceiling = self.size_bytes
        return min(self._keep.size_bytes, self._ceiling)

    def sync_if_due(self, monotonic_seconds: float, *, quick: bool) -> None:
        """Hands what was written to the disk, seldom. Raises OSError."""
        if self._unsynced_since is None:
            self._unsynced_since = monotonic_seconds
        elif monotonic_seconds - self._unsynced_since >= (QUICK_SYNC_SECONDS if quick else SYNC_SECONDS):
            self.sync()

    def sync(self) -> None:
        """Hands what was written to the disk. Raises OSError."""
        self._unsynced_since = None
        if self._file is not None:
            os.fdatasync(self._file)

    def end(self) -> None:
        """Ends the file in use, if there is one; never raises."""
        if self._file is None:
            return
        with suppress(OSError, Full):
            self._append(frame(FrameKind.END, b""))
        with suppress(OSError):
            self.sync()
        with suppress(OSError):
            os.close(self._file)
        self._file = None

    def close(self) -> None:
        """Ends the file and gives the folder free for another recorder."""
        self.end()
        with suppress(OSError):
            os.close(self._lock)


def _number_of(name: str) -> int:
    head = name.partition(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 16 else 0


def _is_damaged(data: bytes) -> bool:
    return any(isinstance(part, Damage) and not part.cut for part in split(data))


def _stored(name: str, size: int, data: bytes, changed: float) -> Stored:
    """How long a file was recorded in is told by its head and by its last change; that is exact enough to choose by."""
    begun: float | None = None
    kills = 0
    for part in split(data):
        if isinstance(part, Damage):
            continue
        if part.kind is FrameKind.BEGIN:
            with suppress(HistoryError):
                begun = begin_from_content(part.content).time_seconds
        kills += part.kind is FrameKind.KILL
    seconds = min(max(changed - begun, 0.0), FILE_SECONDS) if begun is not None else 0.0
    return Stored(name, size, seconds, kills)
