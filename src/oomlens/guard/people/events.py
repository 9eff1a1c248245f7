"""Bytes of the guard's log -> events, and what belongs together: a decision with what came of it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from oomlens.model.guard_event import MOST_BYTES, GuardEvent, event_of_line

# What may follow a decision about the same victim.
_FOLLOWING = frozenset({"signalled", "gone", "stuck", "failed", "kernel-killed"})
# How many entries wait for the end of an earlier one, so that they are shown in order.
_MOST_WAITING = 64
_JOURNAL_FIELD = "OOMLENS_JSON"


class EventLines:
    """Cuts bytes into lines and lines into events; counts the lines that are damaged.

    journal: the lines are `journalctl -o json`, with the event in a field; entries without it are not ours to judge.
    """

    def __init__(self, *, journal: bool = False) -> None:
        self.damaged = 0
        self._journal = journal
        self._rest = b""
        self._too_long = False

    def take(self, data: bytes) -> Iterator[GuardEvent]:
        """The events that are whole with these bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._too_long:
                self._too_long = False  # the end of a line that was given up
            else:
                yield from self._event(line)
        if len(self._rest) > MOST_BYTES:
            self.damaged += not self._too_long
            self._too_long, self._rest = True, b""

    def end(self) -> Iterator[GuardEvent]:
        """What stands behind the last line's end: a line that was cut, or one whose writer ended it by the file's end."""
        line, self._rest = self._rest, b""
        if not self._too_long:
            yield from self._event(line)

    def _event(self, line: bytes) -> Iterator[GuardEvent]:
        if not line.strip():
            return
        if self._journal:
            inner = _journal_text(line)
            if inner is None:
                return
            line = inner
        event = event_of_line(line)
        if event is None:
            self.damaged += 1
        else:
            yield event


def _journal_text(line: bytes) -> bytes | None:
    """The field of a journal entry: a text, or where it is not plain text a list of bytes (systemd.journal-fields(7))."""
    if len(line) > 4 * MOST_BYTES:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    value = entry.get(_JOURNAL_FIELD) if isinstance(entry, dict) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, list):
        try:
            return bytes(value)
        except (TypeError, ValueError):
            return None
    return None


@dataclass(slots=True)
class Entry:
    """An event, and what followed where it is a decision."""

    event: GuardEvent
    following: list[GuardEvent] = field(default_factory=list)
    open: bool = False


def entries(events: Iterable[GuardEvent]) -> Iterator[Entry]:
    """Events in order; what came of a decision is put under it. Holds only what waits for its end."""
    waiting: deque[Entry] = deque()
    for event in events:
        home = _home(event, waiting)
        if home is not None:
            home.following.append(event)
            home.open = event.kind not in ("gone", "kernel-killed")
        else:
            waiting.append(Entry(event, open=event.kind == "decided" and not event.dry_run))
        while waiting and (not waiting[0].open or len(waiting) > _MOST_WAITING):
            yield waiting.popleft()
    yield from waiting


def _home(event: GuardEvent, waiting: Iterable[Entry]) -> Entry | None:
    """The decision that an event belongs to: the latest about the same process."""
    if event.kind not in _FOLLOWING or event.victim is None:
        return None
    found: Entry | None = None
    for entry in waiting:
        about = entry.event.victim
        if (
            entry.open
            and about is not None
            and entry.event.scope == event.scope
            and (about.pid, about.start_ticks) == (event.victim.pid, event.victim.start_ticks)
        ):
            found = entry
    return found
