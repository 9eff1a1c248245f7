"""A record: one log message, freed of what loggers wrapped round it."""

from __future__ import annotations

from typing import NamedTuple


class Stamp(NamedTuple):
    """A wall-clock time as a logger printed it, not yet resolved.

    kind: how to read `text`; one of the keys of `oomlens.decode.clock.READERS`.
    """

    kind: str
    text: str


class Record(NamedTuple):
    """One message with what its envelopes say about it; None is "not said".

    text            the message, envelopes removed, bytes that are not UTF-8 shown as `\\xNN`
    line            number of its first line in the source, from 1
    last_line       number of its last line (a wrapped or multi-line record spans several)
    first_byte      offset of its first byte in the source
    last_byte       offset after its last byte
    envelope        names of the envelopes, outermost first, joined by "+"; "" where there was none
    uptime_seconds  the kernel's own stamp (seconds since boot)
    stamp           wall-clock time as printed
    host            host name as printed
    ident           who logged: syslog identifier or logger name; "kernel" for the kernel
    sender_pid      the sender's pid as printed by the logger
    level           kernel or syslog severity, 0 (emergency) to 7 (debug)
    caller          printk caller id: "T" and thread id, or "C" and cpu (CONFIG_PRINTK_CALLER)
    fields          further fields of a structured envelope (journal, docker, kubernetes), by their own names
    """

    text: str
    line: int
    last_line: int
    first_byte: int
    last_byte: int
    envelope: str = ""
    uptime_seconds: float | None = None
    stamp: Stamp | None = None
    host: str | None = None
    ident: str | None = None
    sender_pid: int | None = None
    level: int | None = None
    caller: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
