"""What a log format is: the shape of every file in `oomlens.decode.envelopes`.

An envelope is what a logger wrapped round the kernel's text.
It is found by content, record by record, never by file name.
Envelopes nest (docker JSON round syslog round the kernel's stamp): each peels one layer and hands on the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oomlens.model.record import Record, Stamp


class Line(NamedTuple):
    """A physical line of the source, decoded (UTF-8, other bytes as `\\xNN`), without its line end."""

    text: str
    line: int
    first_byte: int
    last_byte: int


class Unwrapped(NamedTuple):
    """One layer removed: the text inside, and what the layer said; None is "not said"."""

    text: str
    uptime_seconds: float | None = None
    stamp: Stamp | None = None
    host: str | None = None
    ident: str | None = None
    sender_pid: int | None = None
    level: int | None = None
    caller: str | None = None
    fields: tuple[tuple[str, str], ...] = ()


class Sample(NamedTuple):
    """A real line in this envelope and what must come out of it; checked by a test."""

    line: str
    expected: Unwrapped


@dataclass(frozen=True, slots=True)
class Envelope:
    """A format of one record a line.

    needle: a literal that must be in the line before `unwrap` is tried ("" where there is none).
    unwrap: removes this one layer, or None where the line is not in this envelope. Never raises.
    rewrap: how the n-th record (from 0) of a log looks in this envelope; tests put every corpus case through it.
            None where the envelope cannot carry every text (a lossy one).
    """

    name: str
    needle: str
    unwrap: Callable[[str], Unwrapped | None]
    samples: tuple[Sample, ...]
    rewrap: Callable[[str, int], str] | None = None


@dataclass(frozen=True, slots=True)
class BlockEnvelope:
    """A format whose records span lines (journal export, pretty JSON, fragments).

    needle: a literal that must be in the window before `read` is tried.
    read: takes all lines of a window; what it understands becomes records, the other lines stay lines, in order.
          The records' text may still be in another envelope.
          Never raises; a record cut in half is kept as far as it goes.
    """

    name: str
    needle: str
    read: Callable[[Sequence[Line | Record]], list[Line | Record]]
    rewrap: Callable[[Sequence[str]], str] | None = None
