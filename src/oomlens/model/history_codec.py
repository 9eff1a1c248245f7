"""Files of a history <-> frames: appended one after the other, each with its length and checksum. Pure.

A file is MAGIC and frames. A frame is the mark, its kind (a letter), the length of its content and a CRC-32 of both and the content.
What a power cut or a full disk left half written has no valid checksum and is passed over up to the next mark;
the samples behind it are read again from the next whole one on.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.history import Begin, CgroupKills, ContainerLabel, Kill, ProcessFigures
from oomlens.model.snapshot import Snapshot
from oomlens.model.snapshot_codec import snapshot_from_dict, snapshot_to_dict

MAGIC = b"oomlens history 1\n"
SUFFIX = ".oomh"
MARK = b"\xd6\x4f"
# A content longer than this is damage; whole snapshots of 20,000 processes are below it.
MOST_CONTENT_BYTES = 8 << 20
# What a compressed content may grow to: a damaged one must not fill the memory.
_MOST_TEXT_BYTES = 64 << 20
_HEAD = struct.Struct("<cII")
HEAD_BYTES = len(MARK) + _HEAD.size


class FrameKind(StrEnum):
    """What a frame holds."""

    BEGIN = "B"  # of the file: machine and boot
    WHOLE = "W"  # a sample that stands for itself, compressed
    SAMPLE = "S"  # a sample as its difference from the one before
    BEFORE = "P"  # the whole snapshot before the kills that follow, compressed
    KILL = "K"  # a kill, compressed
    END = "E"  # of the file: the recorder was ended or began another one


class Frame(NamedTuple):
    """A frame as it was found. place: its first byte in the file; end: after its last."""

    kind: FrameKind
    content: bytes
    place: int
    end: int


class Damage(NamedTuple):
    """Bytes that are no frames. cut: at the end of the file, as an interrupted write leaves them."""

    place: int
    end: int
    cut: bool


class HistoryError(ValueError):
    """A frame whose content no recorder wrote."""


def frame(kind: FrameKind, content: bytes) -> bytes:
    """The bytes of a frame."""
    letter = kind.value.encode()
    return MARK + _HEAD.pack(letter, len(content), _checksum(letter, content)) + content


def _checksum(letter: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(letter + struct.pack("<I", len(content))))


def split(data: bytes) -> Iterator[Frame | Damage]:
    """The frames of a file and the damage between them, in order; never raises."""
    place = damaged_from = 0
    if data.startswith(MAGIC):
        place = damaged_from = len(MAGIC)
    while place < len(data):
        found = _frame_at(data, place)
        if found is not None:
            if damaged_from < place:
                yield Damage(damaged_from, place, cut=False)
            yield found
            place = damaged_from = found.end
            continue
        place = data.find(MARK, place + 1)
        if place < 0:
            break
    if damaged_from < len(data):
        yield Damage(damaged_from, len(data), cut=damaged_from > 0)


def _frame_at(data: bytes, place: int) -> Frame | None:
    if data[place : place + len(MARK)] != MARK or place + HEAD_BYTES > len(data):
        return None
    letter, length, checksum = _HEAD.unpack_from(data, place + len(MARK))
    end = place + HEAD_BYTES + length
    if length > MOST_CONTENT_BYTES or end > len(data):
        return None
    content = data[place + HEAD_BYTES : end]
    if _checksum(letter, content) != checksum:
        return None
    try:
        return Frame(FrameKind(letter.decode("ascii", "replace")), content, place, end)
    except ValueError:
        return None


def pack(value: Any) -> bytes:
    """A JSON value, compressed."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 6)


def pack_bytes(data: bytes) -> bytes:
    """Bytes, compressed."""
    return zlib.compress(data, 6)


def unpack_bytes(content: bytes) -> bytes:
    """The way back. Raises HistoryError."""
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(content, _MOST_TEXT_BYTES)
    except zlib.error as error:
        raise HistoryError(f"not compressed as it should be: {error}") from error
    if not reader.eof:
        raise HistoryError("too long")
    return data


def unpack(content: bytes) -> Any:
    """The JSON value of a compressed content. Raises HistoryError."""
    try:
        return json.loads(unpack_bytes(content))
    except (ValueError, RecursionError) as error:
        raise HistoryError(f"not JSON: {error}") from error


def begin_to_content(begin: Begin) -> bytes:
    """The content of a file's first frame; not compressed, so that `strings` shows it."""
    return json.dumps(begin._asdict(), separators=(",", ":")).encode()


def begin_from_content(content: bytes) -> Begin:
    """The way back. Raises HistoryError."""
    try:
        return Begin(**_known(Begin, json.loads(content)))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise HistoryError(f"not the head of a file: {error}") from error


def _known(kind: Any, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name in kind._fields}


def kill_to_dict(kill: Kill) -> dict[str, Any]:
    """The kill as JSON values, without its snapshot, which stands for itself."""
    return {
        "time_seconds": kill.time_seconds,
        "seen_by": kill.seen_by,
        "uptime_seconds": kill.uptime_seconds,
        "boot_id": kill.boot_id,
        "report": report_to_dict(kill.report) if kill.report is not None else None,
        "count": kill.count,
        "cgroups": [row._asdict() for row in kill.cgroups],
        "gone": [row._asdict() for row in kill.gone],
        "labels": {path: label._asdict() for path, label in kill.labels},
        "before_seconds": kill.before_seconds,
    }


def kill_from_dict(entry: Mapping[str, Any]) -> Kill:
    """The way back, without its snapshot; keys that are not known are ignored. Raises HistoryError."""
    try:
        report = entry.get("report")
        return Kill(
            time_seconds=float(entry["time_seconds"]),
            seen_by=entry["seen_by"],
            uptime_seconds=entry.get("uptime_seconds"),
            boot_id=entry.get("boot_id"),
            report=report_from_dict(report) if report is not None else None,
            count=entry.get("count", 1),
            cgroups=tuple(CgroupKills(**_known(CgroupKills, row)) for row in entry.get("cgroups", ())),
            gone=tuple(ProcessFigures(**_known(ProcessFigures, row)) for row in entry.get("gone", ())),
            labels=tuple(
                (path, ContainerLabel(**_known(ContainerLabel, label)))
                for path, label in entry.get("labels", {}).items()
            ),
            before_seconds=entry.get("before_seconds"),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise HistoryError(f"not a kill: {type(error).__name__}: {error}") from error


def before_to_content(snapshot: Snapshot) -> bytes:
    """The whole snapshot before a kill."""
    return pack(snapshot_to_dict(snapshot))


def before_from_content(content: bytes) -> Snapshot:
    """The way back. Raises HistoryError."""
    try:
        return snapshot_from_dict(unpack(content))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise HistoryError(f"not a snapshot: {type(error).__name__}: {error}") from error
