"""Source -> reports: small sources are decoded whole, big ones searched first; two processes share a big plain file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from oomlens.decode import decode_window
from oomlens.decode.anchors import ANCHORS
from oomlens.decode.windows import BEFORE_BYTES, Hit, Windower
from oomlens.host.read.search import Find, finder, newline_counter
from oomlens.host.read.source import ByteStream, Source, UnreadableError
from oomlens.model.report import Report, Victim

Decode = Callable[[bytes, int, int, str, datetime | None], Sequence[Report]]
Progress = Callable[[int], None]

# Decoded whole: a mail may have broken the anchors themselves.
WHOLE_BYTES = 4 << 20
# Fits the second-level cache of one core.
CHUNK_BYTES = 256 << 10
# From here on a second process earns its start.
SHARED_BYTES = 64 << 20
# What a process takes at a time.
PART_BYTES = 32 << 20
# Longer than any anchor.
_SEAM_BYTES = 64


def no_progress(_bytes_done: int) -> None:
    """The progress callback that does nothing."""


def scan(
    source: Source, *, decode: Decode = decode_window, progress: Progress = no_progress, workers: int | None = None
) -> Iterator[Report]:
    """All reports of a source in the order of their place.

    progress: told the number of bytes done so far. workers: processes for a big plain file; None for one per processor.
    Raises UnreadableError where the source cannot be opened, or cannot be read to its end; what was found before has been given.
    """
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if source.path is not None and source.size_bytes is not None and source.size_bytes >= SHARED_BYTES and count > 1:
        yield from _shared(source, source.path, source.size_bytes, decode, progress, count)
        return
    stream = source.open()
    try:
        for report in scan_stream(stream, source.name, source.reference_time, decode=decode, progress=progress):
            yield dated(report, source.boot_time)
    finally:
        stream.close()


def dated(report: Report, boot_time: datetime | None) -> Report:
    """The report with the wall-clock time that its uptime means on the running machine, where the log has none."""
    if boot_time is None or report.time is not None or report.uptime_seconds is None:
        return report
    moment = boot_time + timedelta(seconds=report.uptime_seconds)
    return replace(report, time=moment.isoformat(), gaps=tuple(gap for gap in report.gaps if gap.what != "time"))


def scan_stream(
    stream: ByteStream,
    name: str,
    reference: datetime | None,
    *,
    decode: Decode = decode_window,
    progress: Progress = no_progress,
) -> Iterator[Report]:
    """All reports of a stream of any length in constant memory."""
    start, broken = _read_start(stream)
    if len(start) < WHOLE_BYTES or broken is not None:
        progress(len(start))
        yield from decode(start, 0, 1, name, reference)
        if broken is not None:
            raise broken
        return
    find, windower = finder(ANCHORS), Windower(newline_counter())
    done, tail = 0, b""
    chunk = start
    while chunk:
        for window in windower.feed(chunk, _hits(find, tail, chunk)):
            yield from decode(*window, name, reference)
        tail = chunk[-_SEAM_BYTES:]
        done += len(chunk)
        progress(done)
        try:
            chunk = stream.read(CHUNK_BYTES)
        except UnreadableError as error:
            broken = error
            break
    for window in windower.finish():
        yield from decode(*window, name, reference)
    if broken is not None:
        raise broken


def _read_start(stream: ByteStream) -> tuple[bytes, UnreadableError | None]:
    """Up to WHOLE_BYTES, and what went wrong if the stream broke before."""
    parts: list[bytes] = []
    length = 0
    while length < WHOLE_BYTES:
        try:
            part = stream.read(CHUNK_BYTES)
        except UnreadableError as error:
            return b"".join(parts), error
        if not part:
            break
        parts.append(part)
        length += len(part)
    return b"".join(parts), None


def _hits(find: Find, tail: bytes, chunk: bytes) -> list[Hit]:
    """Hits in a chunk, and those that begin in the end of the one before it (negative) and reach into it."""
    seam = [
        (place - len(tail), anchor)
        for place, anchor in find(tail + chunk[:_SEAM_BYTES])
        if place < len(tail) < place + len(ANCHORS[anchor])
    ]
    return [*seam, *find(chunk)] if seam else list(find(chunk))


def _shared(
    source: Source, path: Path, size: int, decode: Decode, progress: Progress, workers: int
) -> Iterator[Report]:
    """A big plain file in parts; each part begins at a line and looks behind its end for reports that go on."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    parts = iter([(begin, min(begin + PART_BYTES, size)) for begin in range(0, size, PART_BYTES)])
    work = partial(_scan_part, path, source.name, source.reference_time, decode)
    line = 1
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        # Few parts are under way at a time, so that what they find does not pile up here.
        under_way = deque((end, pool.submit(work, begin, end)) for begin, end in islice(parts, 2 * workers))
        while under_way:
            end, part = under_way.popleft()
            reports, newlines = part.result()
            under_way.extend((end, pool.submit(work, begin, end)) for begin, end in islice(parts, 1))
            yield from (_moved(report, line - 1) for report in reports)
            line += newlines
            progress(end)


def _scan_part(
    path: Path, name: str, reference: datetime | None, decode: Decode, begin: int, end: int
) -> tuple[list[Report], int]:
    """Reports whose first byte lies in [begin, end), with lines counted from the part's begin, and its newlines.

    The windows may reach in front of the part and behind it, so that a report across the border is found whole by both
    neighbours and kept by the one in whose part it begins.
    """
    find, count = finder(ANCHORS), newline_counter()
    windower = Windower(count)
    reports: list[Report] = []
    lead = min(begin, BEFORE_BYTES)
    newlines = 0
    with path.open("rb", buffering=0) as file:
        file.seek(begin - lead)
        position = begin - lead
        lead_lines = 0
        tail = b""
        windows = []
        while position < end or windower.is_open:
            chunk = file.read(CHUNK_BYTES)
            if not chunk:
                break
            windows += list(windower.feed(chunk, _hits(find, tail, chunk)))
            tail = chunk[-_SEAM_BYTES:]
            if position < begin:
                lead_lines += count(chunk[: begin - position])
            inside = chunk[max(0, begin - position) : max(0, end - position)]
            newlines += count(inside)
            position += len(chunk)
            for window in windows:
                reports += decode(window.data, window.first_byte + begin - lead, window.first_line, name, reference)
            windows.clear()
        for window in windower.finish():
            reports += decode(window.data, window.first_byte + begin - lead, window.first_line, name, reference)
    mine = [_moved(report, -lead_lines) for report in reports if begin <= report.origin.first_byte < end]
    return mine, newlines


def _moved(report: Report, lines: int) -> Report:
    """The report with its line numbers moved; bytes are already those of the file."""
    if lines == 0:
        return report
    origin = report.origin
    chosen = report.chosen
    return replace(
        report,
        origin=origin._replace(first_line=origin.first_line + lines, last_line=origin.last_line + lines),
        victims=tuple(_moved_victim(victim, lines) for victim in report.victims),
        chosen=_moved_victim(chosen, lines) if chosen is not None else None,
        gaps=tuple(gap._replace(line=gap.line + lines) if gap.line is not None else gap for gap in report.gaps),
        lines={name: line + lines for name, line in report.lines.items()},
    )


def _moved_victim(victim: Victim, lines: int) -> Victim:
    return replace(victim, line=victim.line + lines) if victim.line is not None else victim
