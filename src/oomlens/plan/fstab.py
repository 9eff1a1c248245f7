"""/etc/fstab, line by line: what is not asked for keeps every byte. Source: fstab(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from oomlens.kernel.octal import decoded, encoded

_FIELD = re.compile(rb"[^ \t]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that is neither blank nor a comment.

    number: of the line, from 0. spec, mount_point: decoded. options: as written, without a meaning for missing ones ("").
    spans: begin and end of each field in the line.
    """

    number: int
    spec: str
    mount_point: str
    kind: str
    options: str
    spans: tuple[tuple[int, int], ...]

    @property
    def option_list(self) -> tuple[str, ...]:
        """The options one by one."""
        return tuple(option for option in self.options.split(",") if option)


def entries(content: bytes) -> tuple[Entry, ...]:
    """All entries; lines of less than three fields are no entries."""
    found: list[Entry] = []
    for number, line in enumerate(_lines(content)):
        body = line.removesuffix(_end_of(line))
        if body.lstrip(b" \t").startswith(b"#"):
            continue
        spans = tuple(field.span() for field in _FIELD.finditer(body))
        if len(spans) >= 3:
            texts = [body[begin:end].decode("utf-8", "surrogateescape") for begin, end in spans]
            options = texts[3] if len(texts) > 3 else ""
            found.append(Entry(number, decoded(texts[0]), decoded(texts[1]), texts[2], options, spans))
    return tuple(found)


def swaps(content: bytes) -> tuple[Entry, ...]:
    """The entries of swaps, those with `noauto` among them."""
    return tuple(entry for entry in entries(content) if entry.kind == "swap")


def entry_of(content: bytes, specs: Iterable[str]) -> Entry | None:
    """The first entry with one of these decoded first fields."""
    wanted = frozenset(specs)
    return next((entry for entry in entries(content) if entry.spec in wanted), None)


def swap_line(spec: str, options: Iterable[str]) -> str:
    """The line for a swap, without line end."""
    return f"{encoded(spec)} none swap {','.join(options)} 0 0"


def with_line(content: bytes, line: str) -> bytes:
    """One more line at the end, with the line end that the last one has; a last line without one gets it first."""
    lines = _lines(content)
    ends = [_end_of(line) for line in lines]
    end = next((end for end in reversed(ends) if end), b"\n")
    gap = b"" if not lines or ends[-1] else end
    return content + gap + line.encode("utf-8", "surrogateescape") + end


def without(content: bytes, entry: Entry) -> bytes:
    """Without an entry's line."""
    return b"".join(line for number, line in enumerate(_lines(content)) if number != entry.number)


def with_options(content: bytes, entry: Entry, options: Iterable[str]) -> bytes:
    """With other options of an entry; every other byte stays."""
    text = ",".join(options).encode("utf-8", "surrogateescape")
    if len(entry.spans) < 4:
        end = entry.spans[2][1]
        return _spliced(content, entry.number, (end, end), b" " + text)
    return _spliced(content, entry.number, entry.spans[3], text)


def with_spec(content: bytes, entry: Entry, spec: str) -> bytes:
    """With another first field of an entry; every other byte stays."""
    return _spliced(content, entry.number, entry.spans[0], encoded(spec).encode("utf-8", "surrogateescape"))


def _spliced(content: bytes, number: int, span: tuple[int, int], text: bytes) -> bytes:
    lines = _lines(content)
    lines[number] = lines[number][: span[0]] + text + lines[number][span[1] :]
    return b"".join(lines)


def _end_of(line: bytes) -> bytes:
    return b"\r\n" if line.endswith(b"\r\n") else b"\n" if line.endswith(b"\n") else b""


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends; only a newline ends one."""
    parts = content.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
