"""Hits in a stream of chunks -> windows: byte ranges, cut at line ends, that hold whole reports. Pure; memory is bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from oomlens.decode.anchors import ANCHORS, BEHIND_BYTES, KERNEL, VERDICTS

# What may stand in front of a first hit that is not a report's head: the rest of its task table and Mem-Info block.
BEFORE_BYTES = 64 << 10
# A window is handed out at this size even if it goes on; a task table of 100,000 rows fits.
MOST_BYTES = 24 << 20
# A window with this much in it ends where a report ends, though the next one follows at once.
_ENOUGH_BYTES = 1 << 20
_HEAD_CONTEXT_BYTES = 512
_LONGEST_LINE_BYTES = 16 << 10
# How far the kernel's lines may stand apart: other programs' lines lie between.
_KERNEL_BEHIND_BYTES = max(BEHIND_BYTES)
_ROW = re.compile(rb"\[ *\d+\] +\d+ +\d+ +\d+ +\d+ ")
_HEAD = ANCHORS.index(b" invoked oom-killer")
_KERNEL = frozenset(range(len(KERNEL)))

Count = Callable[[bytes], int]
# (offset within the chunk, index of the anchor)
Hit = tuple[int, int]


class Window(NamedTuple):
    """Whole lines of a source: bytes from `first_byte`, the first of them line number `first_line` (from 1)."""

    data: bytes
    first_byte: int
    first_line: int


def _reach(chunk: bytes, hits: Sequence[Hit]) -> int:
    """How far in front of the chunk the windows of its hits may begin, in bytes."""
    reach = 0
    for offset, anchor in hits:
        if anchor in _KERNEL:
            before = _HEAD_CONTEXT_BYTES if anchor == _HEAD else BEFORE_BYTES
            if offset < before + _LONGEST_LINE_BYTES:
                reach = BEFORE_BYTES
        elif offset < 0 or chunk.rfind(b"\n", 0, offset) < 0:
            reach = BEFORE_BYTES
        if reach or offset > BEFORE_BYTES + _LONGEST_LINE_BYTES:
            break
    return reach


class Windower:
    """Takes chunks in order with the hits in each; gives windows as soon as they are whole.

    count: counts the newlines in bytes; the only work that is done on all bytes.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._held = b""  # from _held_at on; at least BEFORE_BYTES of what has passed, and the open window
        self._held_at = 0
        self._floor = 0  # end of the last window: what was handed out is not handed out again
        self._counted_at = 0  # newlines are counted up to here
        self._line = 1  # number of the line at _counted_at
        self._start: int | None = None  # of the open window, absolute
        self._until = 0
        self._told_at = 0  # place of the last hit, where it was a verdict

    @property
    def is_open(self) -> bool:
        """A window has begun and is not whole yet."""
        return self._start is not None

    def feed(self, chunk: bytes, hits: Sequence[Hit]) -> Iterator[Window]:
        """hits: ascending; one may begin in the end of the chunk before (offset < 0)."""
        base = self._held_at + len(self._held)
        if self._start is not None:
            self._held += chunk
        else:
            # Only the end of what has passed can still be asked for, and mostly not even that: nothing is copied then.
            self._count_to(base)
            reach = BEFORE_BYTES if len(chunk) < BEFORE_BYTES else _reach(chunk, hits)
            tail = self._held[-reach:] if reach else b""
            self._held, self._held_at = (tail + chunk if tail else chunk), base - len(tail)
        end = base + len(chunk)
        for offset, anchor in hits:
            place = base + offset
            if self._start is not None and place > self._until and not self._in_table(place):
                yield self._close(self._until)
            elif anchor == _HEAD and self._start is not None and self._told_at > self._start + _ENOUGH_BYTES:
                # One report after another: the last one's verdict is told, so nothing is torn behind its line.
                yield self._close(self._told_at)
            self._note(place, anchor)
        if self._start is not None and end > self._until and not self._in_table(end):
            yield self._close(self._until)
        if self._start is not None and end - self._start > MOST_BYTES:
            yield self._close(end)

    def finish(self) -> Iterator[Window]:
        """The window that was open at the end of the stream."""
        if self._start is not None:
            yield self._close(self._held_at + len(self._held))

    def _note(self, place: int, anchor: int) -> None:
        kernel = anchor in _KERNEL
        before = _HEAD_CONTEXT_BYTES if anchor == _HEAD else BEFORE_BYTES if kernel else 0
        if self._start is None or (kernel and self._until - place < _HEAD_CONTEXT_BYTES):
            start = self._line_start(place - before)
            self._start = start if self._start is None else min(start, self._start)
        until = place + BEHIND_BYTES[anchor]
        self._told_at = place if anchor in VERDICTS else 0
        # A verdict ends the long wait that the head began.
        self._until = until if anchor in VERDICTS else max(self._until, until)

    def _in_table(self, limit: int) -> bool:
        """Whether a long task table goes on up to `limit`; moves the end of the window along with it."""
        while self._until < limit:
            end = self._until - self._held_at
            if self._until - (self._start or 0) < _KERNEL_BEHIND_BYTES:
                return False
            if len(_ROW.findall(self._held[max(0, end - (4 << 10)) : end])) < 8:
                return False
            self._until += _KERNEL_BEHIND_BYTES
        return True

    def _line_start(self, place: int) -> int:
        lowest = max(self._held_at, self._floor)
        if place <= lowest:
            return lowest
        newline = self._held.rfind(b"\n", lowest - self._held_at, place - self._held_at)
        return self._held_at + newline + 1 if newline >= 0 else lowest

    def _close(self, until: int) -> Window:
        assert self._start is not None
        newline = self._held.find(b"\n", min(until - self._held_at, len(self._held)))
        end = newline + 1 if newline >= 0 else len(self._held)
        self._count_to(self._start)
        begin = self._start - self._held_at
        # The window may begin in what had passed and was counted.
        back = (
            self._count(self._held[begin : self._counted_at - self._held_at]) if self._counted_at > self._start else 0
        )
        window = Window(self._held[begin:end], self._start, self._line - back)
        self._floor = self._held_at + end
        self._start = None
        self._until = 0
        return window

    def _count_to(self, place: int) -> None:
        if place > self._counted_at:
            begin, end = self._counted_at - self._held_at, place - self._held_at
            whole = begin == 0 and end == len(self._held)
            self._line += self._count(self._held if whole else self._held[begin:end])
            self._counted_at = place
