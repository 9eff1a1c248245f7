"""Archives -> sources: tar (also compressed, also within another), read once and in order, never unpacked; zip."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from oomlens.host.read.decompress import SNIFF_BYTES, PeekStream, decompressed, is_text
from oomlens.host.read.source import ByteStream, Source, UnreadableError

Told = Callable[[UnreadableError], None]
_MOST_DEPTH = 3


def is_tar(head: bytes) -> bool:
    """POSIX, GNU and old V7 archives, by their first header block."""
    if len(head) < 512:
        return False
    if head[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _MemberStream:
    """A member of a tar; its damage is told like that of any stream."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size)
        except (tarfile.TarError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise UnreadableError(
                self._name,
                "damaged-archive",
                f"the archive ends within this member ({error})",
                "what stands before was read",
            ) from error

    def close(self) -> None:
        self._file.close()


def tar_sources(stream: PeekStream, name: str, told: Told, depth: int = 0) -> Iterator[Source]:
    """The text members of a tar, `archive!member`; each must be read before the next is asked for."""
    try:
        # mode "r|": one pass, no seeking, nothing on disk.
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() and member.size else None
                if file is None:
                    continue
                when = datetime.fromtimestamp(max(0, member.mtime), UTC)
                yield from member_sources(
                    _MemberStream(file, f"{name}!{member.name}"), f"{name}!{member.name}", when, told, depth
                )
    except UnreadableError as error:
        told(UnreadableError(name, error.reference, error.message, error.hint))
    except (tarfile.TarError, EOFError, OSError) as error:
        told(
            UnreadableError(
                name, "damaged-archive", f"the archive is damaged ({error})", "the members before the damage were read"
            )
        )


def member_sources(stream: ByteStream, name: str, when: datetime, told: Told, depth: int) -> Iterator[Source]:
    """The source, or sources, in one member: compressed, an archive itself, or plain text; binaries are passed over."""
    plain = decompressed(stream, name)
    head = plain.peek(SNIFF_BYTES)
    if is_tar(head):
        if depth < _MOST_DEPTH:
            yield from tar_sources(plain, name, told, depth + 1)
    elif is_text(head):
        yield Source(name, lambda: plain, reference_time=when)


def zip_sources(path: Path, name: str, told: Told) -> Iterator[Source]:
    """The text members of a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                member = f"{name}!{info.filename}"
                when = datetime(*info.date_time, tzinfo=UTC)
                try:
                    file = archive.open(info)
                except (RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
                    told(UnreadableError(member, "damaged-archive", f"the member cannot be read ({error})"))
                    continue
                yield from member_sources(_MemberStream(file, member), member, when, told, 0)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        told(UnreadableError(name, "damaged-archive", f"not a readable zip file ({error})"))
