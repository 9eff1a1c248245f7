"""Follows what tells of kills in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from oomlens.host.follow_sources import kill_sources
from oomlens.host.live_scan import scan_live
from oomlens.host.read.expand import Note
from oomlens.host.read.follow import Arrived, Live, follow
from oomlens.host.read.live import boot_time, kmsg_source, now
from oomlens.host.read.source import UnreadableError
from oomlens.host.scan import scan
from oomlens.model.report import Kind, Report

_POLL_SECONDS = 0.1
_KINDS = (Kind.KERNEL, Kind.USERSPACE)


class Following(NamedTuple):
    """names: what is followed; none, where only counters tell of kills, `why` then says why nothing can be."""

    names: tuple[str, ...]
    why: str | None = None


class _Stop:
    """A live source that says nothing and wakes whoever waits."""

    name = "stop"

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self.ended = False

    def now(self) -> None:
        self.ended = True
        os.write(self._writer, b"\n")

    def fileno(self) -> int | None:
        return self._reader

    def arrived(self) -> bytes:
        return b"\n" if self.ended else b""

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


class KillWatch:
    """told: called with each report from the thread, and whether it is from before the start."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._notes: list[Note] = []
        self._stop = _Stop()
        self._thread: threading.Thread | None = None
        self._given: set[str] = set()
        self._lives: list[Live] = []

    def start(self, told: Callable[[Report, bool], None], following: Callable[[Following], None]) -> None:
        """Opens the sources, and begins to follow them."""
        try:
            self._lives = kill_sources(self._root, self._notes.append)
        except OSError:
            self._notes.append(Note("kmsg", "failed", "unreadable"))
        following(self._state())
        self._thread = threading.Thread(target=self._run, args=(told, following), name="oomlens-kills", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes the sources."""
        self._stop.now()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            if self._thread.is_alive():
                return  # its descriptors are still in use
        for live in self._lives:
            live.close()
        self._stop.close()

    def _state(self) -> Following:
        names = tuple(live.name for live in self._lives)
        why = next((note.reference for note in self._notes if note.reference), None) if not names else None
        return Following(names, why or (None if names else "not-found"))

    def _run(self, told: Callable[[Report, bool], None], following: Callable[[Following], None]) -> None:
        try:
            for report in self._past():
                self._tell(report, told, before=True)
            arrivals = self._until_stopped(follow([*self._lives, self._stop], poll_seconds=_POLL_SECONDS))
            for report in scan_live(arrivals, now(), boot_time()):
                self._tell(report, told, before=False)
        except UnreadableError as error:
            following(Following((), error.reference))
        except Exception:  # noqa: BLE001 - counters go on telling of kills
            following(Following((), "unreadable"))

    def _past(self) -> Iterable[Report]:
        """What the ring buffer still holds; logs that are files are left to `scan`."""
        if self._root != Path("/") or not any(live.name == "kmsg" for live in self._lives):
            return
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        for report in scan(kmsg_source()):
            if self._stop.ended:
                return
            if report.uptime_seconds is None or report.uptime_seconds < began:
                yield report

    def _tell(self, report: Report, told: Callable[[Report, bool], None], *, before: bool) -> None:
        if report.kind in _KINDS and report.id not in self._given and not self._stop.ended:
            self._given.add(report.id)
            told(report, before)

    def _until_stopped(self, arrivals: Iterable[Arrived]) -> Iterator[Arrived]:
        for arrived in arrivals:
            if self._stop.ended:
                return
            yield arrived
