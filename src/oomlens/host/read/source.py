"""What a source is: a name and a stream of log bytes, already decompressed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class ByteStream(Protocol):
    """A readable stream of bytes; `read` gives b"" at its end and may give fewer bytes than asked."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One place that log bytes come from.

    name: what the user gave or what was found; an archive member is `archive.tar.gz!member`. Goes into `origin.source`.
    open: starts reading from the beginning; raises `UnreadableError`. May be called again only for plain files.
    path: set for a plain, uncompressed, regular file, which may be mapped and cut among workers; else None.
    size_bytes: of the bytes that `open` gives, where known before reading.
    reference_time: when the last line was written at the latest (modification time, now for live sources);
        resolves stamps without a year. Aware.
    packed_file: set for a compressed file that holds this source alone; another process may read it from its beginning.
    boot_time: when the kernel whose uptimes are in the source was started, for the running machine's ring buffer;
        dates records without a wall clock. Aware; drifts by the time spent in suspend, as `dmesg -T` does.
    """

    name: str
    open: Callable[[], ByteStream]
    path: Path | None = None
    size_bytes: int | None = None
    reference_time: datetime | None = None
    boot_time: datetime | None = None
    packed_file: Path | None = None


class UnreadableError(Exception):
    """A source that could not be read, or not to its end.

    reference: kebab-case, stable (`permission-denied`, `not-found`, `damaged-archive`, `no-journal` …).
    message: what happened, in English; `hint`: what would help, something that can be typed where possible.
    """

    def __init__(self, source: str, reference: str, message: str, hint: str | None = None) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source
        self.reference = reference
        self.message = message
        self.hint = hint
