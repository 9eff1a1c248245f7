"""Many sources -> reports: compressed files are shared out among processes, for decompressing is most of their work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oomlens.host.read.expand import packed_source
from oomlens.host.read.source import Source, UnreadableError
from oomlens.host.scan import Decode, Progress, scan
from oomlens.model.report import Report

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

# Compressed files smaller than this are read here: they are done before a process has started.
_WORTH_BYTES = 2 << 20


class Told(NamedTuple):
    """What became of one source: its name, and the error that ended it early (reference, message, hint), if any."""

    source: str
    error: tuple[str, str, str | None] | None = None


def scan_many(
    sources: Iterable[Source],
    told: Callable[[Told], None],
    *,
    progress: Callable[[Source], Progress],
    workers: int | None = None,
    decode: Decode | None = None,
) -> Iterator[Report]:
    """All reports of all sources, in the order of the sources.

    decode: instead of `decode_window`; everything is then read in this process.
    told: called once a source, when it has been read. progress: gives the progress callback for a source.
    A source that breaks ends early; what was found in it before is given, and the next one goes on.
    """
    count = workers if workers is not None else len(os.sched_getaffinity(0))
    if decode is not None:
        count = 1
    pool: ProcessPoolExecutor | None = None
    waiting: deque[Source | Future[tuple[list[Report], Told]]] = deque()
    try:
        for source in sources:
            if count > 1 and source.packed_file is not None and source.packed_file.stat().st_size >= _WORTH_BYTES:
                source.open().close()
                if pool is None:
                    pool = _pool(count)
                waiting.append(pool.submit(_scan_packed, source.packed_file, source.name, source.reference_time))
                if len(waiting) > 2 * count:
                    yield from _given(waiting.popleft(), told, progress, decode)
                continue
            # Others have to be read before the next is asked for: members of an archive share a stream.
            while waiting:
                yield from _given(waiting.popleft(), told, progress, decode)
            yield from _given(source, told, progress, decode)
        while waiting:
            yield from _given(waiting.popleft(), told, progress, decode)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _pool(count: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(count, mp_context=get_context("fork"))


def _given(
    work: Source | Future[tuple[list[Report], Told]],
    told: Callable[[Told], None],
    progress: Callable[[Source], Progress],
    decode: Decode | None,
) -> Iterator[Report]:
    if not isinstance(work, Source):
        reports, end = work.result()
        yield from reports
        told(end)
        return
    error = None
    try:
        if decode is None:
            yield from scan(work, progress=progress(work))
        else:
            yield from scan(work, progress=progress(work), decode=decode, workers=1)
    except UnreadableError as broken:
        error = broken.reference, broken.message, broken.hint
    told(Told(work.name, error))


def _scan_packed(path: Path, name: str, when: datetime | None) -> tuple[list[Report], Told]:
    reports: list[Report] = []
    try:
        reports.extend(scan(packed_source(path, name, when), workers=1))
    except UnreadableError as broken:
        return reports, Told(name, (broken.reference, broken.message, broken.hint))
    return reports, Told(name)
