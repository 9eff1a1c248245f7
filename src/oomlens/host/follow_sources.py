"""SOURCE arguments -> live sources for `--follow`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from oomlens.host.read.expand import FileStream, Note, Tell
from oomlens.host.read.follow import GrowingFile, Live, LiveStream
from oomlens.host.read.live import KmsgStream, has_journal, journal_source
from oomlens.host.read.source import UnreadableError
from oomlens.host.run import ProgramStream

_DEFAULT_FILES = ("var/log/syslog", "var/log/messages", "var/log/kern.log")


def live_sources(arguments: Sequence[str], *, root: Path, notes: Tell) -> list[Live]:
    """The sources to follow: those named, else the kernel's ring buffer (the quickest), else the journal, else log files."""
    if not arguments:
        ring = _kmsg(notes)
        if ring is not None:
            return [ring]
        if has_journal(root) and (journal := _journal(notes)) is not None:
            return [journal]
        return [GrowingFile(path) for name in _DEFAULT_FILES if (path := root / name).exists()]
    found: list[Live] = []
    for argument in arguments:
        live: Live | None
        if argument == "-":
            live = LiveStream("-", FileStream(sys.stdin.fileno(), "-"), sys.stdin.fileno())
        elif argument in ("kmsg", "dmesg"):
            live = _kmsg(notes)
        elif argument == "journal":
            live = _journal(notes)
        else:
            path = Path(argument) if root == Path("/") else root / argument.lstrip("/")
            if path.is_dir():
                found += [GrowingFile(file) for file in sorted(path.iterdir()) if file.is_file()]
                continue
            live = GrowingFile(path)
            if not path.exists():
                notes(Note(argument, "absent", "not-found", "not there yet; it is read as soon as it is"))
        if live is not None:
            found.append(live)
    return found


def kill_sources(root: Path, notes: Tell) -> list[Live]:
    """What tells of the kernel's kills as they happen, of this machine or of the one whose root is mounted at `root`."""
    if root == Path("/"):
        return live_sources((), root=root, notes=notes)
    ring = root / "dev/kmsg"
    if ring.is_char_device() and (live := _kmsg(notes, ring)) is not None:
        return [live]
    return [GrowingFile(path) for name in _DEFAULT_FILES if (path := root / name).exists()]


def _kmsg(notes: Tell, path: Path = Path("/dev/kmsg")) -> Live | None:
    try:
        stream = KmsgStream(path, from_end=True)
    except OSError as error:
        notes(
            Note(
                "kmsg",
                "failed",
                "permission-denied",
                error.strerror,
                "run it with sudo, or: sudo sysctl kernel.dmesg_restrict=0",
            )
        )
        return None
    return LiveStream("kmsg", stream, stream.fileno())


def _journal(notes: Tell) -> Live | None:
    source = journal_source(follow=True)
    try:
        stream = source.open()
    except UnreadableError as error:
        notes(Note(error.source, "failed", error.reference, error.message, error.hint))
        return None
    fd = stream.fileno() if isinstance(stream, ProgramStream) else getattr(stream, "fileno", lambda: -1)()
    return LiveStream("journal", stream, int(fd))
