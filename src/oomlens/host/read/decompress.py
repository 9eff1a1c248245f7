"""Compressed bytes -> bytes: by content, streaming, in bounded memory, as far as a damaged stream goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from oomlens.host.read.source import ByteStream, UnreadableError

SNIFF_BYTES = 4096


class Decompressor(Protocol):
    """What the compression libraries' incremental objects have in common."""

    def decompress(self, data: bytes, /) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...


class PeekStream:
    """A stream whose beginning can be looked at."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ahead = b""
        self._error: UnreadableError | None = None

    def peek(self, size: int) -> bytes:
        """The next bytes without taking them; fewer only at the end. What goes wrong is raised when it is read."""
        while len(self._ahead) < size and self._error is None:
            try:
                part = self._stream.read(size - len(self._ahead))
            except UnreadableError as error:
                self._error = error
                break
            if not part:
                break
            self._ahead += part
        return self._ahead[:size]

    def peek_ready(self, size: int) -> bytes:
        """Like `peek`, with what one read gives at most; for pipes that are slow."""
        return self._ahead[:size] if self._ahead else self._peek_one(size)

    def _peek_one(self, size: int) -> bytes:
        try:
            self._ahead = self._stream.read(size)
        except UnreadableError as error:
            self._error = error
        return self._ahead

    def read(self, size: int, /) -> bytes:
        if self._ahead:
            part, self._ahead = self._ahead[:size], self._ahead[size:]
            return part
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()


def _gzip() -> Decompressor:
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib.decompressobj(31)
    found: Decompressor = isal_zlib.decompressobj(31)
    return found


def _xz() -> Decompressor:
    import lzma

    return lzma.LZMADecompressor()


def _bzip2() -> Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def _zstd() -> Decompressor:
    import zstandard

    found: Decompressor = zstandard.ZstdDecompressor().decompressobj()
    return found


def _lz4() -> Decompressor:
    import lz4.frame

    found: Decompressor = lz4.frame.LZ4FrameDecompressor()
    return found


# (magic bytes, name, how to begin a member)
FORMATS: tuple[tuple[bytes, str, Callable[[], Decompressor]], ...] = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"\xfd7zXZ\x00", "xz", _xz),
    (b"]\x00\x00", "lzma", _xz),
    (b"BZh", "bzip2", _bzip2),
    (b"\x28\xb5\x2f\xfd", "zstd", _zstd),
    (b"\x04\x22\x4d\x18", "lz4", _lz4),
)


def compression_of(head: bytes) -> tuple[str, Callable[[], Decompressor]] | None:
    """The compression that these first bytes begin, by content."""
    for magic, name, begin in FORMATS:
        if head.startswith(magic):
            return name, begin
    return None


class DecompressedStream:
    """The bytes inside a compressed stream; several members or frames one after another are one text.

    Input is fed in pieces that grow only while they do not blow up, so that a decompression bomb cannot fill the memory.
    Damage and truncation: all bytes before it, then UnreadableError once.
    """

    def __init__(self, stream: ByteStream, name: str, compression: str, begin: Callable[[], Decompressor]) -> None:
        self._stream = stream
        self._name = name
        self._compression = compression
        self._begin = begin
        self._member: Decompressor | None = begin()
        self._out = b""
        self._taken = 0
        self._feed_bytes = 1024
        self._fresh = True  # the member has not been given a byte
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while len(self._out) - self._taken <= 0 and not self._ended:
            self._advance(b"")
        part = self._out[self._taken : self._taken + size]
        self._taken += len(part)
        return part

    def _advance(self, rest: bytes) -> None:
        data = rest or self._stream.read(self._feed_bytes)
        if not data:
            self._ended = True
            if not self._fresh:
                raise UnreadableError(
                    self._name,
                    "truncated",
                    f"the {self._compression} data end early",
                    "what stands before was read; copy the file again",
                )
            return
        if self._member is None:
            self._member, self._fresh = self._begin(), True
        if self._fresh and data.strip(b"\x00") == b"":
            return  # padding behind the last member
        try:
            self._out, self._taken = self._member.decompress(data), 0
        except Exception as error:
            self._ended = True
            if self._fresh and self._taken:
                return  # garbage behind the last member
            raise UnreadableError(
                self._name,
                "damaged",
                f"the {self._compression} data are damaged ({error})",
                "what stands before was read; copy the file again",
            ) from error
        self._fresh = False
        ratio = len(self._out) / len(data)
        self._feed_bytes = min(self._feed_bytes * 2, 256 << 10) if ratio < 60 else max(256, self._feed_bytes // 16)
        if getattr(self._member, "eof", False):
            unused = self._member.unused_data
            self._member, self._fresh = None, True
            if unused:
                held = self._out
                self._advance(unused)
                self._out = held + self._out[self._taken :] if self._out is not held else held
                self._taken = 0

    def close(self) -> None:
        self._stream.close()


def decompressed(stream: ByteStream, name: str) -> PeekStream:
    """The stream with every layer of compression removed, by content; plain streams come back as they are."""
    peeked = PeekStream(stream)
    for _ in range(4):
        found = compression_of(peeked.peek_ready(SNIFF_BYTES))
        if found is None:
            break
        peeked = PeekStream(DecompressedStream(peeked, name, *found))
    return peeked


def is_text(head: bytes) -> bool:
    """Whether these first bytes are of a log: hardly any NUL or control bytes (UTF-16 with its mark is text)."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    if not head:
        return True
    # A crash can leave a run of NUL bytes in a log; binaries have them everywhere.
    odd = sum(head.count(bytes((byte,))) for byte in (*range(1, 7), *range(14, 27), 28, 29, 30, 31, 127))
    return odd * 20 < len(head) and head.count(b"\x00") * 3 < len(head)
