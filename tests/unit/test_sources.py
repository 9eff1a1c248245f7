"""Sources: found by content, read as far as they go, and what cannot be read is told with what would help."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from oomlens.host.read.decompress import compression_of, decompressed, is_text
from oomlens.host.read.expand import Note, sources
from oomlens.host.read.source import Source, UnreadableError
from oomlens.host.scan import scan

LINE = b"[   12.345678] Out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"
TEXT = b"".join(b"[%12.6f] line %d of a log\n" % (n / 7, n * n) for n in range(4000)) + LINE
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "lz4": lz4.frame.compress,
}


class Bytes:
    """A stream over bytes that gives them in small pieces."""

    def __init__(self, data: bytes, most: int = 1000) -> None:
        self._file = io.BytesIO(data)
        self._most = most

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._most))

    def close(self) -> None:
        self._file.close()


def read_all(stream: object) -> tuple[bytes, UnreadableError | None]:
    parts: list[bytes] = []
    while True:
        try:
            part = stream.read(1 << 16)  # type: ignore[attr-defined]
        except UnreadableError as error:
            return b"".join(parts), error
        if not part:
            return b"".join(parts), None
        parts.append(part)


def expand(arguments: list[str], root: Path = Path("/")) -> tuple[list[tuple[str, bytes]], list[Note]]:
    notes: list[Note] = []
    found: list[tuple[str, bytes]] = []
    for source in sources(arguments, root=root, notes=notes.append):
        stream = source.open()
        data, error = read_all(stream)
        stream.close()
        found.append((source.name, data))
        if error is not None:
            notes.append(Note(source.name, "failed", error.reference, error.message, error.hint))
    return found, notes


@pytest.mark.parametrize("name", PACKERS)
def test_compression_is_told_by_content(name: str) -> None:
    packed = PACKERS[name](TEXT)
    found = compression_of(packed[:8])
    assert found is not None
    assert found[0] == name
    assert read_all(decompressed(Bytes(packed), "x")) == (TEXT, None)


@pytest.mark.parametrize("name", PACKERS)
def test_a_truncated_stream_gives_what_stands_before_and_says_so(name: str) -> None:
    packed = PACKERS[name](TEXT)
    data, error = read_all(decompressed(Bytes(packed[: len(packed) * 2 // 3]), "x.log"))
    assert TEXT.startswith(data)
    assert error is not None
    assert (error.source, error.reference) == ("x.log", "truncated")


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "zstd", "lz4"])
def test_members_one_after_another_are_one_text(name: str) -> None:
    half = len(TEXT) // 2
    packed = PACKERS[name](TEXT[:half]) + PACKERS[name](TEXT[half:])
    assert read_all(decompressed(Bytes(packed), "x")) == (TEXT, None)


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF
    (tmp_path / "x.gz").write_bytes(packed)
    found, notes = expand([str(tmp_path / "x.gz")])
    assert TEXT.startswith(found[0][1][:100])
    assert notes
    assert notes[0].status == "failed"


def test_a_bomb_does_not_fill_the_memory() -> None:
    import tracemalloc

    packed = zstandard.ZstdCompressor().compress(bytes(400 << 20))
    tracemalloc.start()
    stream = decompressed(Bytes(packed, 1 << 20), "bomb")
    total = 0
    while part := stream.read(1 << 20):
        total += len(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 400 << 20
    assert peak < 120 << 20


def test_text_is_told_from_binaries() -> None:
    assert is_text(b"Feb  3 04:57:55 h kernel: x\n")
    assert is_text("日本語のログ\n".encode())
    assert is_text(b"a\x00\x00\n" + b"line\n" * 50)
    assert not is_text(b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 4)


def make_tar(path: Path, mode: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_770_000_000
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_an_archive_is_read_member_by_member(tmp_path: Path, mode: str) -> None:
    inner = tmp_path / "inner.tar"
    make_tar(inner, "w:gz", {"deep/syslog": TEXT})
    make_tar(tmp_path / "sos.tar", mode, {
        "sos/var/log/messages": TEXT, "sos/var/log/messages.1.gz": gzip.compress(TEXT), "sos/bin/ls": b"\x7fELF" + bytes(range(256)) * 16,
        "sos/inner.tar": inner.read_bytes(), "sos/empty": b"",
    })  # fmt: skip
    found, notes = expand([str(tmp_path / "sos.tar")])
    archive = str(tmp_path / "sos.tar")
    assert [name for name, _ in found] == [
        f"{archive}!sos/var/log/messages", f"{archive}!sos/var/log/messages.1.gz", f"{archive}!sos/inner.tar!deep/syslog",
    ]  # fmt: skip
    assert all(data == TEXT for _, data in found)
    assert notes == []


def test_a_broken_member_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    broken = gzip.compress(TEXT)
    make_tar(tmp_path / "a.tar", "w", {"a.gz": broken[: len(broken) // 2], "b": TEXT})
    found, notes = expand([str(tmp_path / "a.tar")])
    assert [data == TEXT for _, data in found] == [False, True]
    assert [(note.source.endswith("a.tar!a.gz"), note.reference) for note in notes] == [(True, "truncated")]


def test_a_cut_archive_gives_the_members_before_the_cut(tmp_path: Path) -> None:
    make_tar(tmp_path / "a.tar", "w", {"a": TEXT, "b": TEXT})
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(TEXT) + 1024 + len(TEXT) // 2])
    found, notes = expand([str(tmp_path / "a.tar")])
    assert found[0][1] == TEXT
    assert notes
    assert all(note.status == "failed" for note in notes)


def test_a_zip_file_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("var/log/syslog", TEXT)
    found, notes = expand([str(tmp_path / "a.zip")])
    assert found == [(f"{tmp_path}/a.zip!var/log/syslog", TEXT)]
    assert notes == []


def test_folders_globs_and_links(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.log").write_bytes(b"a\n")
    (tmp_path / "sub" / "b.log").write_bytes(b"b\n")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "sub" / "pipe")
    found, _ = expand([str(tmp_path)])
    assert [Path(name).name for name, _ in found] == ["a.log", "b.log"]
    found, _ = expand([f"{tmp_path}/**/*.log"])
    assert [Path(name).name for name, _ in found] == ["a.log", "b.log"]


def test_what_is_not_there_is_told_with_a_hint(tmp_path: Path) -> None:
    found, notes = expand([str(tmp_path / "nothing"), str(tmp_path / "*.none")])
    assert found == []
    assert [(note.status, note.reference) for note in notes] == [("failed", "not-found")] * 2
    assert all(note.hint for note in notes)


def test_permission_denied_is_told_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_bytes(TEXT)
    (tmp_path / "open").write_bytes(TEXT)
    real = os.open

    def refuse(path: str | os.PathLike[str], *rest: int) -> int:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    found, notes = expand([str(tmp_path)])
    assert [data for _, data in found] == [TEXT]
    assert [(note.reference, "adm" in (note.hint or "")) for note in notes] == [("permission-denied", True)]


def test_another_tree_is_read_with_its_rotations_in_order(tmp_path: Path) -> None:
    log = tmp_path / "var" / "log"
    log.mkdir(parents=True)
    for age, (name, data) in enumerate(
        {"syslog": b"3\n", "syslog.1": b"2\n", "syslog.2.gz": gzip.compress(b"1\n")}.items()
    ):
        (log / name).write_bytes(data)
        os.utime(log / name, (1_700_000_000 - age * 86400,) * 2)
    found, notes = expand([], root=tmp_path)
    assert [data for _, data in found] == [b"1\n", b"2\n", b"3\n"]
    assert [note.status for note in notes] == ["absent"]  # no journal
    found, _ = expand(["/var/log/syslog"], root=tmp_path)
    assert [data for _, data in found] == [b"3\n"]


def test_pstore_parts_come_in_the_order_of_their_text(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/systemd/pstore/17700"
    folder.mkdir(parents=True)
    for part, text in (("1", b"last\n"), ("2", b"middle\n"), ("3", b"first\n")):
        (folder / f"dmesg-efi-17700{part}").write_bytes(b"Panic#1 Part" + part.encode() + b"\n" + text)
    found, _ = expand(["pstore"], root=tmp_path)
    assert [data.split(b"\n")[1] for _, data in found] == [b"first", b"middle", b"last"]


def test_a_plain_file_can_be_cut_among_workers_and_a_packed_one_cannot(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(TEXT)
    (tmp_path / "b").write_bytes(gzip.compress(TEXT))
    one, two = sources([str(tmp_path / "a"), str(tmp_path / "b")], notes=lambda _note: None)
    assert (one.path, one.size_bytes) == (tmp_path / "a", len(TEXT))
    assert two.path is None
    assert one.reference_time is not None
    assert one.reference_time.tzinfo is not None


def test_a_damaged_stream_keeps_the_reports_before_the_damage() -> None:
    packed = gzip.compress(LINE + os.urandom(3000).hex().encode() + b"\n" + TEXT)
    cut = packed[: len(packed) - 200]
    source = Source("x.gz", lambda: decompressed(Bytes(cut), "x.gz"))
    reports = scan(source)
    assert next(reports).victims[0].pid == 7
    with pytest.raises(UnreadableError):
        list(reports)
