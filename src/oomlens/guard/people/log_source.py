"""Where the guard's log is read from: its file and the one before it, a given file, a pipe, or the journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from oomlens.guard.people.events import EventLines
from oomlens.host.read.follow import GrowingFile, Live, LiveStream, follow
from oomlens.host.read.source import UnreadableError
from oomlens.host.read.tree import below
from oomlens.host.run import ProgramStream, find_program
from oomlens.model.guard_event import GuardEvent

LOG_FILE = "/var/log/oomlens/guard.jsonl"
IDENTIFIER = "oomlens-guard"
_READ_BYTES = 256 << 10
# Somebody looks at it: quick enough for the eye, and next to no work.
_POLL_SECONDS = 0.2


class GuardLog:
    """One place that events come from. name: what it is called; `lines` knows the damaged ones afterwards."""

    def __init__(self, asked: str | None, root: Path) -> None:
        self.place = below(root, LOG_FILE) if asked is None else Path(asked)
        journal = asked == "journal" or (asked is None and str(root) == "/" and not self._files())
        self.name = "journal" if journal else "-" if asked == "-" else str(self.place)
        self.lines = EventLines(journal=journal)

    def _files(self) -> list[Path]:
        """The one before it first."""
        earlier = self.place.with_name(f"{self.place.name}.1")
        return [place for place in (earlier, self.place) if place.exists()]

    def events(self) -> Iterator[GuardEvent]:
        """All events that there are, oldest first. Raises UnreadableError."""
        if self.name == "journal":
            yield from self._of_program([])
        elif self.name == "-":
            while data := os.read(sys.stdin.fileno(), _READ_BYTES):
                yield from self.lines.take(data)
            yield from self.lines.end()
        else:
            files = self._files()
            if self.place not in files:
                self.place.stat()  # says what is wrong
            for place in files:
                with place.open("rb") as file:
                    while data := file.read(_READ_BYTES):
                        yield from self.lines.take(data)
                    yield from self.lines.end()

    def arriving(self, *, held: bool = False) -> Iterator[GuardEvent | None]:
        """New events as they come; None after each quiet moment. held: first those that a file holds, so that none falls between."""
        live: Live
        if self.name == "journal":
            program = _journalctl(["--follow", "--lines=0"])
            live = LiveStream(self.name, program, program.fileno())
        elif self.name == "-":
            live = LiveStream(self.name, _Stdin(), sys.stdin.fileno())
        else:
            live = GrowingFile(self.place, from_start=held)
        try:
            for arrived in follow([live], poll_seconds=_POLL_SECONDS):
                if arrived.data:
                    yield from self.lines.take(arrived.data)
                else:
                    yield None
        finally:
            live.close()

    def _of_program(self, arguments: list[str]) -> Iterator[GuardEvent]:
        program = _journalctl(arguments)
        try:
            while data := program.read(_READ_BYTES):
                yield from self.lines.take(data)
            yield from self.lines.end()
            if program.returncode not in (0, 1, None) or (program.returncode == 1 and program.errors):
                raise UnreadableError("journal", "journalctl-failed", program.errors or "journalctl failed")
        finally:
            program.close()


class _Stdin:
    def read(self, size: int, /) -> bytes:
        return os.read(sys.stdin.fileno(), size)

    def close(self) -> None:
        """It is not ours to close."""


def _journalctl(arguments: list[str]) -> ProgramStream:
    program = find_program("journalctl")
    if program is None:
        raise UnreadableError("journal", "no-journalctl", "journalctl is not installed")
    fields = "--output-fields=OOMLENS_JSON"
    return ProgramStream(
        [program, "--no-pager", "--quiet", "--all", "--output=json", fields, f"--identifier={IDENTIFIER}", *arguments]
    )
