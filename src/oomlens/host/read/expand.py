"""SOURCE arguments -> sources: paths, globs, folders, archives, `-`, and the names of live sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from oomlens.host.read.archive import is_tar, tar_sources, zip_sources
from oomlens.host.read.decompress import SNIFF_BYTES, compression_of, decompressed, is_text
from oomlens.host.read.live import has_journal, journal_source, kmsg_source, now
from oomlens.host.read.source import ByteStream, Source, UnreadableError

_LOG_GLOBS = ("var/log/syslog*", "var/log/messages*", "var/log/kern.log*", "var/log/dmesg*")
_PSTORE = ("sys/fs/pstore", "var/lib/systemd/pstore", "var/crash")
_JOURNAL_MAGIC = b"LPKSHHRH"
LIVE_NAMES = ("dmesg", "kmsg", "journal", "pstore")


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a source: status "read", "absent" (not there, nothing asked for it), "skipped" or "failed"."""

    source: str
    status: str
    reference: str | None = None
    reason: str | None = None
    hint: str | None = None


Tell = Callable[[Note], None]


def sources(arguments: Sequence[str], *, root: Path = Path("/"), notes: Tell) -> Iterator[Source]:
    """The sources that the arguments name, one after another; without arguments, what this machine's logs are.

    Read each source before asking for the next: members of an archive stand in one stream.
    root: another tree (a mounted disk, an unpacked sosreport); live sources are then left out.
    What cannot be read goes to `notes` with the reason and what would help, and the rest goes on.
    """
    if not arguments:
        yield from _defaults(root, notes)
    for argument in arguments:
        yield from _argument(argument, root, notes)


def _failed(error: UnreadableError) -> Note:
    return Note(error.source, "failed", error.reference, error.message, error.hint)


def _defaults(root: Path, notes: Tell) -> Iterator[Source]:
    live = root == Path("/")
    if live:
        yield kmsg_source()
    if has_journal(root):
        yield journal_source() if live else journal_source(_journal_folder(root))
    else:
        notes(Note("journal", "absent", "no-journal", "no journal on this machine"))
    found = False
    for pattern in _LOG_GLOBS:
        for path in _oldest_first(root.glob(pattern)):
            found = True
            yield from _path(path, _name(path, root), notes, asked=False)
    if not found:
        notes(Note("var/log", "absent", "no-log-files", "no syslog, messages, kern.log or dmesg under var/log"))
    yield from _pstore(root, notes, asked=False)


def _journal_folder(root: Path) -> Path:
    return next(folder for folder in (root / "var/log/journal", root / "run/log/journal") if folder.is_dir())


def _oldest_first(paths: Iterator[Path]) -> list[Path]:
    """Rotations in the order in which they were written, so that reports come in the order of time."""
    return sorted(paths, key=lambda path: (_modified(path), path.name))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _name(path: Path, root: Path) -> str:
    return str(path) if root == Path("/") or not path.is_relative_to(root) else f"{root}:/{path.relative_to(root)}"


def _argument(argument: str, root: Path, notes: Tell) -> Iterator[Source]:
    if argument == "-":
        yield from _stdin(notes)
        return
    path = _under(argument, root)
    if not path.exists():
        if argument in ("dmesg", "kmsg"):
            yield kmsg_source()
            return
        if argument == "journal" or argument.startswith("journal:"):
            folder = argument.removeprefix("journal").removeprefix(":")
            yield journal_source(
                _under(folder, root) if folder else (None if root == Path("/") else _journal_folder(root))
            )
            return
        if argument == "pstore":
            yield from _pstore(root, notes, asked=True)
            return
        base = Path("/") if path.is_absolute() else Path()
        pattern = str(path.relative_to("/")) if path.is_absolute() else str(path)
        matches = sorted(base.glob(pattern)) if any(mark in argument for mark in "*?[") else []
        if not matches:
            hint = "check the path; live sources are: dmesg, kmsg, journal, pstore, - (stdin)"
            notes(Note(argument, "failed", "not-found", "no such file or folder", hint))
        for match in matches:
            yield from _path(match, _name(match, root), notes, asked=True)
        return
    yield from _path(path, argument if root == Path("/") else _name(path, root), notes, asked=True)


def _under(argument: str, root: Path) -> Path:
    return Path(argument) if root == Path("/") else root / argument.lstrip("/")


def _stdin(notes: Tell) -> Iterator[Source]:
    plain = decompressed(FileStream(sys.stdin.buffer.fileno(), "-"), "-")
    if is_tar(plain.peek_ready(SNIFF_BYTES)):
        yield from tar_sources(plain, "-", partial(_tell_failed, notes))
    else:
        yield Source("-", lambda: plain, reference_time=now())


class FileStream:
    """A file descriptor as a stream; errors while reading are told with the name of the source."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self._name = name

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int, /) -> bytes:
        try:
            return os.read(self._fd, size)
        except OSError as error:
            raise UnreadableError(self._name, "read-error", error.strerror or str(error)) from error

    def close(self) -> None:
        if self._fd > 2:
            os.close(self._fd)


def open_file(path: Path, name: str) -> ByteStream:
    """A file as a stream; raises UnreadableError with what would help."""
    try:
        return FileStream(os.open(path, os.O_RDONLY | os.O_CLOEXEC), name)
    except PermissionError as error:
        raise UnreadableError(
            name, "permission-denied", "permission denied", "run it with sudo, or join the group adm"
        ) from error
    except OSError as error:
        raise UnreadableError(name, "unreadable", error.strerror or str(error)) from error


def _path(path: Path, name: str, notes: Tell, *, asked: bool) -> Iterator[Source]:
    if path.is_dir():
        yield from _folder(path, name, notes)
        return
    try:
        status = path.stat()
    except OSError as error:
        notes(Note(name, "failed", "unreadable", error.strerror, None))
        return
    if not path.is_file() and not path.is_fifo():
        notes(Note(name, "skipped", "not-a-file", "a device or socket", None))
        return
    when = datetime.fromtimestamp(status.st_mtime, UTC).astimezone()
    told = partial(_tell_failed, notes)
    try:
        stream = open_file(path, name)
        if path.is_fifo():
            yield Source(name, lambda: stream, reference_time=now())
            return
        raw = stream.read(SNIFF_BYTES)
        stream.close()
    except UnreadableError as error:
        told(error)
        return
    if raw.startswith(_JOURNAL_MAGIC):
        yield journal_source(file=path)
    elif raw.startswith(b"PK\x03\x04"):
        yield from zip_sources(path, name, told)
    elif compression_of(raw) is not None or is_tar(raw):
        yield from _packed(path, name, when, told)
    elif is_text(raw):
        yield Source(name, lambda: open_file(path, name), path=path, size_bytes=status.st_size, reference_time=when)
    elif asked:
        notes(Note(name, "skipped", "not-text", "not a text file, an archive or compressed text", None))


def _packed(path: Path, name: str, when: datetime, told: Callable[[UnreadableError], None]) -> Iterator[Source]:
    plain = decompressed(open_file(path, name), name)
    head = plain.peek(SNIFF_BYTES)
    if is_tar(head):
        yield from tar_sources(plain, name, told)
        plain.close()
    elif is_text(head):
        yield Source(name, lambda: plain, reference_time=when, packed_file=path)
    else:
        plain.close()


def packed_source(path: Path, name: str, when: datetime | None) -> Source:
    """A compressed file as a source, from its beginning; for a process that was handed its name."""
    return Source(name, lambda: decompressed(open_file(path, name), name), reference_time=when, packed_file=path)


def _tell_failed(notes: Tell, error: UnreadableError) -> None:
    notes(_failed(error))


def _folder(folder: Path, name: str, notes: Tell) -> Iterator[Source]:
    """All files below, in order of their names; links to folders are not followed."""
    for place, folders, files in os.walk(
        folder, onerror=lambda error: notes(Note(str(error.filename), "failed", "unreadable", error.strerror, None))
    ):
        folders.sort()
        for file in sorted(files):
            path = Path(place) / file
            inner = f"{name.rstrip('/')}/{path.relative_to(folder)}"
            if path.is_file() or path.is_symlink():
                yield from _path(path, inner, notes, asked=False)


def _pstore(root: Path, notes: Tell, *, asked: bool) -> Iterator[Source]:
    """Logs that survived a panic; the parts of one dump are numbered from its end."""
    found = False
    for place in _PSTORE[:2]:
        folder = root / place
        try:
            files = [
                path for path in folder.rglob("*") if path.name.startswith(("dmesg", "console")) and path.is_file()
            ]
        except OSError as error:
            notes(Note(str(folder), "failed", "permission-denied", error.strerror, "run it with sudo"))
            continue
        for path in sorted(files, key=lambda path: (str(path.parent), path.name), reverse=True):
            found = True
            yield from _path(path, _name(path, root), notes, asked=False)
    if asked and not found:
        notes(Note("pstore", "absent", "no-pstore", "nothing in sys/fs/pstore or var/lib/systemd/pstore"))
