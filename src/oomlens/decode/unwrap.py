"""Bytes -> records: every layer that a logger, a shipper or a mailer put round the kernel's text is removed.

Found by content, line by line; layers nest in any order.
Joining what was broken is not done here (`oomlens.decode.rejoin` does, for it knows the grammar).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from oomlens.decode.envelope import Envelope, Line, Unwrapped
from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.envelopes.kernel_stamp import STAMP
from oomlens.decode.quoting import decode_quoted_printable, strip_bullet, strip_markup, strip_quote
from oomlens.model.record import Record, Stamp

_MOST_LAYERS = 8
_ANY_STAMP = re.compile(rf"{STAMP} ?")
# The two shapes that most lines have, read in one step.
_DMESG = re.compile(r"^\[ *(\d+\.\d{6})\](?: ?\[ *([TC]\d+)\])? (.*)$", re.DOTALL)
_SYSLOG = re.compile(
    r"^(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))) (\S+) ([\w.\-/@]+)(?:\[(\d+)\])?: "
    r"(?:\[ *(\d+\.\d{6})\](?: ?\[ *([TC]\d+)\])? )?(.*)$",
    re.DOTALL,
)
_ROW = re.compile(r"\[ *\d+\] +-?\d+ +\d+ ")
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
    """The records of a window whose characters are its bytes; the rows of a task table become one record."""
    done: list[Record] = []
    reader = _Reader()
    place, line, length = 0, first_line, len(text)
    while place < length:
        newline = text.find("\n", place)
        end = newline if newline >= 0 else length
        whole = text[place:end]
        reader.read(Line(whole, line, first_byte + place, first_byte + min(end + 1, length)), done)
        last = done[-1]
        place, line = end + 1, line + 1
        if last.text[:1] == "[" and last.line == line - 1 and place < length and _ROW.match(last.text):
            shape = _shape(whole[: len(whole) - len(last.text)], (last.host, last.caller))
            run = _compiled(shape, rows=True).match(text, place)
            if run is not None:
                rows = run[0].removesuffix("\n")
                count = rows.count("\n") + 1
                if shape:
                    rows = _compiled(shape, rows=False).sub("", rows)
                place, line = run.end(), line + count
                done[-1] = last._replace(
                    text=f"{last.text}\n{rows}", last_line=line - 1, last_byte=first_byte + min(place, length)
                )
    return done


def _shape(header: str, speaker: Sequence[str | None]) -> str:
    """A pattern for the header of a neighbouring line: the digits of its time and the blanks that pad them may differ.

    speaker: host and caller id, which tell who printed the line: web-1 and web-2 differ in a digit only.
    """
    kept = {
        place
        for part in speaker
        if part is not None and (start := header.rfind(part)) >= 0
        for place in range(start, start + len(part))
    }
    return "".join(
        r"[ \d]" if character in " 0123456789" and place not in kept else re.escape(character)
        for place, character in enumerate(header)
    )


@lru_cache(maxsize=64)
def _compiled(shape: str, *, rows: bool) -> re.Pattern[str]:
    if not rows:
        return re.compile(rf"^{shape}", re.MULTILINE)
    # Nothing in the row that would need another look: escapes, entities, a second bracket.
    return re.compile(rf"(?:{shape}\[ *\d+\] +-?\d+ +\d+ [^\n\x1b&#\\\[<]*(?:\n|\Z))+")


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


def _speaker(record: Record, header: str) -> list[tuple[int, str]]:
    """(offset, text) of what in a header says who printed the line: web-1 and web-2 differ in a digit only."""
    return [(header.rfind(part), part) for part in (record.host, record.caller) if part is not None and part in header]


def _rows_behind(
    pieces: Sequence[Line | Record], index: int, width: int, text: str, speaker: Sequence[tuple[int, str]]
) -> tuple[list[Line], int]:
    """The lines from `index` on with the same header as `text`, the digits of its time aside, and a bracket behind it."""
    shape = text[:width].translate(_DIGITS)
    rows: list[Line] = []
    while index < len(pieces):
        piece = pieces[index]
        other = piece.text
        if isinstance(piece, Record) or other[width : width + 1] != "[" or other[:width].translate(_DIGITS) != shape:
            break
        if any(not other.startswith(part, place) for place, part in speaker):
            break
        if not _ROW.match(other, width) or not _simple(other[width:]):
            break
        rows.append(piece)
        index += 1
    return rows, index


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
        self._syslog_first = False

    def read(self, line: Line, done: list[Record]) -> None:
        """Appends the records of one line."""
        text = line.text
        if not self._syslog_first:
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
            self._syslog_first = True
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
            self._syslog_first = False
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
