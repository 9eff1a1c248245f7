"""Bytes -> records: every layer that a logger, a shipper or a mailer put round the kernel's text is removed.

Found by content, line by line; layers nest in any order.
Joining what was broken is not done here (`oomlens.decode.rejoin` does, for it knows the grammar).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from oomlens.decode.envelope import Envelope, Line, Unwrapped
from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.envelopes.kernel_stamp import STAMP
from oomlens.decode.quoting import decode_quoted_printable, strip_bullet, strip_markup, strip_quote
from oomlens.model.record import Record, Stamp

_MOST_LAYERS = 8
_ANY_STAMP = re.compile(rf"{STAMP} ?")
# The two shapes that most lines have, read in one step.
_DMESG = re.compile(r"\[ *(\d+\.\d{6})\](?: ?\[ *([TC]\d+)\])? (.*)\Z", re.DOTALL)
_SYSLOG = re.compile(
    r"^(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))) (\S+) ([\w.\-/@]+)(?:\[(\d+)\])?: "
    r"(?:\[ *(\d+\.\d{6})\](?: ?\[ *([TC]\d+)\])? )?(.*)$",
    re.DOTALL,
)
_DIGITS = str.maketrans(" 123456789", "0000000000")
# Rows of the task table, frames of a stack, lines of memory.stat; nothing in them that would need another look.
_KINDS = (
    re.compile(r"\[ *\d+\] +-?\d+ +\d+ [^\x1b&#\\\[<]*\Z"),
    re.compile(r" *(?:\[<[0-9a-f]+>\] )?(?:\? )?[\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?\Z"),
    re.compile(r"[a-z][a-z0-9_]+ \d+\Z"),
)
_ESCAPED_NEWLINE = re.compile(r"#012|\\x0a|\\n(?= ?[a-z_]+[: ]\d)")


def records(data: bytes, first_byte: int = 0, first_line: int = 1) -> list[Record]:
    """All records of a window, in order; one per line, more where one line holds several. Never raises.

    first_byte, first_line: where the window stands in its source (bytes from 0, lines from 1).
    """
    plain = decode_quoted_printable(data)
    if plain is not None:
        # Offsets are those of the encoded text's lines no longer; the window as a whole is what can be said.
        return [
            record._replace(
                first_byte=first_byte,
                last_byte=first_byte + len(data),
                envelope=f"quoted-printable+{record.envelope}".rstrip("+"),
            )
            for record in records(plain, first_byte, first_line)
        ]
    blocks = [block for block in BLOCKS if _holds(data, block.needle)]
    if not blocks and data.isascii() and b"\r" not in data and b"\x00" not in data:
        done = _plain_records(data.decode("ascii"), first_byte, first_line)
    else:
        pieces: Sequence[Line | Record] = list(_lines(data, first_byte, first_line))
        for block in blocks:
            pieces = block.read(pieces)
        done = []
        reader = _Reader()
        for piece in pieces:
            if isinstance(piece, Record):
                done.extend(_nested(piece, reader))
            else:
                reader.read(piece, done)
    return _without_fragments(done) if any(record.fields for record in done) else done


def _holds(data: bytes, needle: str) -> bool:
    return needle.encode() in data or ("\n" in needle and needle.replace("\n", "\r\n").encode() in data)


def _plain_records(text: str, first_byte: int, first_line: int) -> list[Record]:
    """The records of a window whose characters are its bytes.

    Lines of a kind that stand together under one header (rows of the task table, frames of a stack, memory.stat) are
    one record: a table has tens of thousands of rows, and these three kinds are nine lines in ten.
    """
    done: list[Record] = []
    reader = _Reader()
    place, line, length = 0, first_line, len(text)
    while place < length:
        newline = text.find("\n", place)
        end = newline if newline >= 0 else length
        last_byte = first_byte + min(end + 1, length)
        found = None if reader.expects_syslog else _DMESG.match(text, place, end)
        if found is not None and _simple(found[3]):
            record = Record(
                found[3], line, line, first_byte + place, last_byte, "dmesg", float(found[1]), caller=found[2]
            )
            done.append(record)
        else:
            reader.read(Line(text[place:end], line, first_byte + place, last_byte), done)
        last, begin = done[-1], place
        place, line = end + 1, line + 1
        kind = _kind_of(last.text) if last.line == line - 1 and place < length else None
        if kind is not None:
            width = end - begin - len(last.text)
            more, place = _run(text, place, width, text[begin : begin + width], (last.host, last.caller), kind)
            if more:
                line += len(more)
                joined = "\n".join((last.text, *more))
                done[-1] = last._replace(text=joined, last_line=line - 1, last_byte=first_byte + min(place, length))
    return done


def _kind_of(text: str) -> re.Pattern[str] | None:
    """The kind of line that may stand in a run, as a pattern of the whole line; None for others."""
    return next((kind for kind in _KINDS if kind.match(text)), None)


def _run(
    text: str, place: int, width: int, header: str, speaker: Sequence[str | None], kind: re.Pattern[str]
) -> tuple[list[str], int]:
    """The texts of the lines of a kind from `place` on under the same header, the digits of its time aside; and where they end.

    speaker: host and caller id, which tell who printed the line: web-1 and web-2 differ in a digit only.
    """
    shape = header.translate(_DIGITS)
    fixed = [(start, part) for part in speaker if part is not None and (start := header.rfind(part)) >= 0]
    found: list[str] = []
    length = len(text)
    while place < length:
        newline = text.find("\n", place)
        end = newline if newline >= 0 else length
        inner = place + width
        if inner > end or text[place:inner].translate(_DIGITS) != shape or kind.match(text, inner, end) is None:
            break
        if fixed and not all(text.startswith(part, place + start) for start, part in fixed):
            break
        found.append(text[inner:end])
        place = end + 1
    return found, place


def _without_fragments(records: Sequence[Record]) -> list[Record]:
    """Long records that a transport cut are put together: CRI's partial lines, netconsole's `ncfrag=offset/length`."""
    done: list[Record] = []
    for record in records:
        before = done[-1] if done else None
        if before is not None and _goes_on(before, record):
            done[-1] = record._replace(text=before.text + record.text, line=before.line, first_byte=before.first_byte)
        else:
            done.append(record)
    return done


def _goes_on(before: Record, record: Record) -> bool:
    one, two = dict(before.fields), dict(record.fields)
    if one.get("partial") == "P":
        return "partial" in two and one.get("stream") == two.get("stream")
    fragment = two.get("fragment", "0/")
    return "fragment" in one and not fragment.startswith("0/") and one.get("sequence") == two.get("sequence")


_DIGITS = str.maketrans("123456789", "000000000")


def _lines(data: bytes, first_byte: int, first_line: int) -> Iterator[Line]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    position, limit = first_byte, first_byte + len(data)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, raw in enumerate(lines, first_line):
        end = position + len(raw) + 1
        yield Line(raw.decode("utf-8", "backslashreplace").rstrip("\r\x00"), number, position, min(limit, end))
        position = end


def _nested(record: Record, reader: _Reader) -> Iterator[Record]:
    """A block record whose text may be in another envelope, or of several lines."""
    texts = record.text.split("\n") if "\n" in record.text else [record.text]
    for text in texts:
        for inner, names in reader.peel(text):
            yield Record(
                inner.text,
                record.line,
                record.last_line,
                record.first_byte,
                record.last_byte,
                "+".join((record.envelope, *names)),
                inner.uptime_seconds if inner.uptime_seconds is not None else record.uptime_seconds,
                record.stamp or inner.stamp,
                record.host or inner.host,
                record.ident or inner.ident,
                record.sender_pid if record.sender_pid is not None else inner.sender_pid,
                record.level if record.level is not None else inner.level,
                inner.caller or record.caller,
                record.fields + inner.fields,
            )


def _merge(outer: Unwrapped, inner: Unwrapped) -> Unwrapped:
    """What two layers say together: nearer to the kernel wins for its own stamp, farther out for time and host."""
    return Unwrapped(
        inner.text,
        inner.uptime_seconds if inner.uptime_seconds is not None else outer.uptime_seconds,
        outer.stamp or inner.stamp,
        outer.host or inner.host,
        inner.ident or outer.ident,
        inner.sender_pid if inner.sender_pid is not None else outer.sender_pid,
        inner.level if inner.level is not None else outer.level,
        inner.caller or outer.caller,
        outer.fields + inner.fields,
    )


class _Reader:
    """Peels lines; remembers which shape the last line had."""

    def __init__(self) -> None:
        self.expects_syslog = False

    def read(self, line: Line, done: list[Record]) -> None:
        """Appends the records of one line."""
        text = line.text
        if not self.expects_syslog:
            found = _DMESG.match(text)
            if found is not None and _simple(found[3]):
                done.append(
                    Record(
                        found[3],
                        line.line,
                        line.line,
                        line.first_byte,
                        line.last_byte,
                        "dmesg",
                        float(found[1]),
                        caller=found[2],
                    )
                )
                return
        found = _SYSLOG.match(text)
        if found is not None and _simple(found[8]):
            self.expects_syslog = True
            words, iso, host, ident, pid, uptime, caller, inner = found.groups()
            if ident == "kernel" or uptime is None:
                done.append(
                    Record(
                        inner,
                        line.line,
                        line.line,
                        line.first_byte,
                        line.last_byte,
                        ("syslog+dmesg" if uptime else "syslog")
                        if words
                        else ("syslog-iso+dmesg" if uptime else "syslog-iso"),
                        float(uptime) if uptime else None,
                        Stamp("words", words) if words else Stamp("iso", iso),
                        host,
                        ident,
                        int(pid) if pid else None,
                        None,
                        caller,
                    )
                )
                return
        else:
            self.expects_syslog = False
        for unwrapped, names in self.peel(text):
            done.append(
                Record(
                    unwrapped.text,
                    line.line,
                    line.line,
                    line.first_byte,
                    line.last_byte,
                    "+".join(names),
                    unwrapped.uptime_seconds,
                    unwrapped.stamp,
                    unwrapped.host,
                    unwrapped.ident,
                    unwrapped.sender_pid,
                    unwrapped.level,
                    unwrapped.caller,
                    unwrapped.fields,
                )
            )

    def peel(self, text: str) -> Iterator[tuple[Unwrapped, tuple[str, ...]]]:
        """All records in one text with the names of their envelopes, outermost first."""
        stripped = strip_markup(text)
        for part in stripped.split("\n") if "\n" in stripped else (stripped,):
            yield from self._peel_one(part)

    def _peel_one(self, text: str) -> Iterator[tuple[Unwrapped, tuple[str, ...]]]:
        whole, names = _peel_layers(text)
        for several in _split(whole):
            yield several, names


def _peel_layers(text: str) -> tuple[Unwrapped, tuple[str, ...]]:
    whole = Unwrapped(text)
    names: list[str] = []
    headed = False
    for _ in range(_MOST_LAYERS):
        layer = _envelope(whole.text, names)
        if layer is not None:
            envelope, inner = layer
            whole = _merge(whole, inner)
            names.append(envelope.name)
            headed = True
            if envelope.name in ("dmesg", "kmsg") or whole.ident not in (None, "kernel"):
                break
            continue
        if headed:
            break
        unquoted = strip_quote(whole.text)
        name = "mail-quoted"
        if unquoted is None:
            unquoted, name = strip_bullet(whole.text), "bullet"
        if unquoted is None and whole.text[:1] in (" ", "\t"):
            indented = whole.text.lstrip()
            unquoted, name = (indented if _envelope(indented, names) is not None else None), "indented"
        if unquoted is None:
            behind = _stamp_behind_noise(whole.text)
            if behind is not None:
                whole = whole._replace(text=behind)
                continue
            break
        whole = whole._replace(text=unquoted)
        names.append(name)
    return whole, tuple(names)


def _envelope(text: str, names: Sequence[str]) -> tuple[Envelope, Unwrapped] | None:
    for envelope in ENVELOPES:
        if envelope.needle in text and envelope.name not in names:
            inner = envelope.unwrap(text)
            if inner is not None:
                return envelope, inner
    return None


def _stamp_behind_noise(text: str) -> str | None:
    """From the kernel's stamp on, where other console output stands in front of it."""
    found = _ANY_STAMP.search(text)
    return text[found.start() :] if found is not None and found.start() > 0 else None


def _simple(text: str) -> bool:
    """Nothing left to undo: no markup, escape or second stamp in a line of usual length."""
    if "</" in text and not text.rstrip().endswith(("</TASK>", "</IRQ>", "</NMI>", "</SOFTIRQ>")):
        return False
    if "\x1b" in text or "#012" in text or "\\x0a" in text or "&" in text:
        return False
    return "[" not in text[1:] or _ANY_STAMP.search(text) is None


def _split(whole: Unwrapped) -> Iterator[Unwrapped]:
    """One record whose lines were escaped or joined becomes several with the same header."""
    text = whole.text
    if "\n" in text or "#012" in text or "\\x0a" in text:
        for part in re.split(r"\n|#012|\\x0a", text):
            yield whole._replace(text=part)
        return
    stamps = list(_ANY_STAMP.finditer(text)) if text.count("[") > 1 else []
    # A process name is 15 bytes: it may look like one stamp, never like two that go on in time.
    if len(stamps) < 2 or not _in_order(whole.uptime_seconds, [float(found[1]) for found in stamps]):
        yield whole
        return
    if stamps[0].start() > 0:
        yield whole._replace(text=text[: stamps[0].start()])
    for found, following in zip(stamps, [*stamps[1:], None], strict=True):
        part = text[found.end() : following.start() if following else len(text)]
        yield whole._replace(text=part, uptime_seconds=float(found[1]), caller=found[2] or whole.caller)


def _in_order(first: float | None, times: Sequence[float]) -> bool:
    every = times if first is None else (first, *times)
    return all(earlier <= later <= earlier + 60 for earlier, later in pairwise(every))
