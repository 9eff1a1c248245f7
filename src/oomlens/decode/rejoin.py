"""Records -> readings: lines that a mailer, a terminal or another CPU broke are put together again, by grammar.

A record that begins a line of the kernel's and does not end it takes the headerless records behind it, for as long as
the strict pattern has not matched; the longest match wins.
What does not help stays a record of its own, so nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oomlens.decode.grammar import NOTHING, ROW, Reading, read_line
from oomlens.decode.grammar.counters import join_counters
from oomlens.decode.grammar.tasks import KNOWN_COLUMNS, Rows, columns_of, read_row, read_rows
from oomlens.model.record import Record

_MOST_PIECES = 6
_LONGEST_NAME = 15  # TASK_COMM_LEN without its end
# What an editor leaves where lines were cut out.
ELISION = re.compile(r"^\s*[<\[(]?\s*(?:\.{2,}|…|snip(?:ped)?|\.\.\.snip.*|cut)\s*[>\])]?\s*$", re.IGNORECASE)


class Read(NamedTuple):
    """A record (joined where it had been broken) with what the grammar says about it."""

    record: Record
    reading: Reading
    rows: Rows | None = None  # of table rows that read


def _has_header(record: Record) -> bool:
    return (
        record.uptime_seconds is not None
        or record.stamp is not None
        or record.ident is not None
        or record.level is not None
        or record.caller is not None
    )


def _header(record: Record) -> tuple[object, ...]:
    return record.uptime_seconds, record.stamp, record.host, record.ident, record.caller


def _may_follow(record: Record, base: Record) -> bool:
    """The cheap half of `_is_tail`: most records have a header of their own."""
    return record.uptime_seconds is None or record.uptime_seconds == base.uptime_seconds or record.text.startswith(",")


def _is_tail(record: Record, base: Record) -> bool:
    """Whether a record may be the rest of `base`."""
    if not record.text.strip() or "\n" in record.text or ELISION.match(record.text):
        return False
    if record.text.startswith(",") and record.ident == base.ident:
        # pr_cont pieces that another CPU tore off get a header of their own; a process called "," has whole lines.
        reading = read_line(record.text)
        return reading.fact is None or reading.weak
    if _has_header(record):
        # A newline inside a process name: one record of the kernel's, so the stamps are equal.
        same = record.line == base.last_line or _header(record) == _header(base)
        if not same:
            return False
        reading = read_line(record.text)
        return reading.fact is None and reading.counters is None and reading.table is None
    reading = read_line(record.text)
    return reading is NOTHING or (reading.counters is not None and reading.counters.zone is None)


def _tails(records: Sequence[Record], index: int) -> list[Record]:
    base = records[index]
    tails: list[Record] = []
    for record in records[index + 1 : index + 1 + _MOST_PIECES]:
        if not _is_tail(record, base):
            break
        tails.append(record)
        base = base._replace(last_line=record.last_line)
    return tails


def _glue(base: Record, tail: Record, full_width: bool) -> tuple[str, ...]:
    """What may have stood between two pieces, likeliest first. full_width: the pieces so far are equally long."""
    if _has_header(tail) and (not tail.text.startswith(",") or _header(tail) == _header(base)):
        return ("\n", "")
    last = base.text.rsplit(" ", 1)[-1]
    if (
        base.text.startswith("oom-kill:")
        or full_width
        or (last.startswith("/") and not tail.text.lstrip().startswith("killed "))
    ):
        return ("", " ")  # a terminal broke it at its edge, or inside a path; mailers break at blanks
    return (" ", "")


def _extended(base: Record, record: Record, text: str) -> Record:
    return base._replace(text=text, last_line=record.last_line, last_byte=max(base.last_byte, record.last_byte))


def _longest(base: Record, tails: Sequence[Record], columns: tuple[str, ...] | None) -> tuple[Read, int] | None:
    """The longest joining that reads strictly, else weakly: (joined, number of tails used), or None."""
    strict: tuple[Read, int] | None = None
    weak: tuple[Read, int] | None = None
    candidates = [base]
    for used, tail in enumerate(tails, 1):
        full_width = used > 1 and _width(tails[used - 2]) == _width(base)
        longer: list[Record] = []
        for candidate in candidates:
            for glue in _glue(candidate, tail, full_width):
                stripped = tail.text if glue == "\n" else tail.text.strip()
                text = (candidate.text if glue == "\n" else candidate.text.rstrip()) + glue + stripped
                longer.append(_extended(candidate, tail, text))
        candidates = longer
        reads = [read for candidate in candidates if (read := _strictly(candidate, columns)) is not None]
        if reads:
            strict = reads[0], used
        else:
            for one in candidates:
                reading = read_line(one.text)
                if reading.fact is not None and (weak is None or _told(reading) > _told(weak[0].reading)):
                    weak = Read(one, reading), used
    return strict or weak


def _told(reading: Reading) -> int:
    """How many values a reading gives."""
    return sum(value is not None for value in reading.fact.values.values()) if reading.fact is not None else 0


def _strictly(record: Record, columns: tuple[str, ...] | None) -> Read | None:
    reading = read_line(record.text)
    if reading.fact is not None and not reading.weak:
        return Read(record, reading)
    if reading.table == "header" and KNOWN_COLUMNS.issuperset(columns_of(record.text)):
        return Read(record, reading)
    row = read_row(record.text, columns) if reading.table == "row" and columns is not None else None
    return Read(record, reading, row) if row is not None else None


def _width(record: Record) -> int:
    return record.last_byte - record.first_byte


def _join_counters(base: Record, tails: Sequence[Record]) -> tuple[Read, int]:
    joined, used = base, 0
    for tail in tails:
        text = join_counters(joined.text, tail.text)
        reading = read_line(text)
        if reading.counters is None:
            break
        joined = _extended(joined, tail, text)
        used += 1
    return Read(joined, read_line(joined.text)), used


def rejoin(records: Sequence[Record]) -> Iterator[Read]:
    """All records in order, broken lines joined; those that are none of ours come with `NOTHING`."""
    columns: tuple[str, ...] | None = None
    index = 0
    count = len(records)
    while index < count:
        record = records[index]
        index += 1
        text = record.text
        if "\n" in text:
            if text[0] != "[" or text[1] == "<":
                yield Read(record, NOTHING)  # a run of stack frames or of memory.stat lines
                continue
            rows = read_rows(text, columns) if columns is not None else None
            if rows is None:
                records = [*records[: index - 1], *_lines_of(record), *records[index:]]
                count = len(records)
                index -= 1
            else:
                yield Read(record, ROW, rows)
            continue
        if columns is not None and text[:1] == "[":
            row = read_row(text, columns)
            if row is not None:
                yield Read(record, ROW, row)
                continue
        reading = read_line(text)
        if reading is NOTHING:
            named = _with_name_before(record, records[index]) if index < count else None
            index += named is not None
            yield named or Read(record, reading)
            continue
        row = read_row(text, columns) if reading.table == "row" else None
        read = Read(record, reading, row)
        if (
            (reading.started or reading.extendable)
            and row is None
            and index < count
            and _may_follow(records[index], record)
        ):
            read, used = _joined(records, index - 1, read, columns)
            index += used
        if read.reading.table == "header":
            columns = columns_of(read.record.text)
        yield read


def _with_name_before(record: Record, following: Record) -> Read | None:
    """The invoker's line whose name has a newline in it: one record of the kernel's, so the stamps are equal."""
    if (
        record.uptime_seconds is None
        or len(record.text) > _LONGEST_NAME
        or " invoked oom-killer" not in following.text
        or _header(record) != _header(following)
    ):
        return None
    whole = _extended(record, following, f"{record.text}\n{following.text}")
    reading = read_line(whole.text)
    name = reading.fact.text("comm") if reading.fact is not None else None
    return Read(whole, reading) if name is not None and "\n" in name and len(name) <= _LONGEST_NAME else None


def _lines_of(record: Record) -> list[Record]:
    """The records of a block, one a line; where each stands within the block's bytes is not known any more."""
    return [
        record._replace(text=text, line=line, last_line=line)
        for line, text in enumerate(record.text.split("\n"), record.line)
    ]


def _joined(records: Sequence[Record], index: int, read: Read, columns: tuple[str, ...] | None) -> tuple[Read, int]:
    """The record with as much of what follows as belongs to it: (joined, number of records used up)."""
    tails = _tails(records, index)
    if tails and read.reading.counters is not None:
        return _join_counters(read.record, tails)
    found = _longest(read.record, tails, columns) if tails else None
    if found is None or (found[0].reading.weak and read.reading.fact is not None):
        return read, 0
    return found
