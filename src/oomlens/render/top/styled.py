"""Lines of text with a tone for each part: what is meant, not which colour it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from oomlens.render.columns import shortened
from oomlens.render.sanitize import fit, width


class Tone(Enum):
    """How a part is meant."""

    PLAIN = auto()
    DIM = auto()
    STRONG = auto()
    HEAD = auto()
    CHOSEN = auto()  # the heading that is sorted by, the pane that is shown
    GOOD = auto()
    WARN = auto()
    BAD = auto()
    ALARM = auto()  # a kill has happened


class Span(NamedTuple):
    """A part of a line, safe to print. press: what a click on it, or its key, does; None: nothing."""

    text: str
    tone: Tone = Tone.PLAIN
    press: str | None = None


Line = tuple[Span, ...]


def line_width(line: Iterable[Span]) -> int:
    """Columns that it takes."""
    return sum(width(span.text) for span in line)


def text_of(line: Iterable[Span]) -> str:
    """The line without its tones."""
    return "".join(span.text for span in line)


def cell(text: str, columns: int, *, right: bool = False) -> str:
    """Exactly so many columns: padded, or cut with an ellipsis."""
    cut = shortened(text, columns)
    return " " * max(0, columns - width(cut)) + cut if right else fit(cut, columns)


def wrapped(text: str, columns: int, *, indent: str = "", tone: Tone = Tone.PLAIN) -> Iterator[Line]:
    """The text in lines of at most so many columns, broken at blanks where there are any, else anywhere."""
    room = max(8, columns - len(indent))
    while width(text) > room:
        cut = _cut(text, room)
        blank = text.rfind(" ", 0, cut + 1)
        end = blank if blank > cut // 2 else cut
        yield (Span(indent + text[:end].rstrip(" "), tone),)
        text = text[end:].lstrip(" ")
    yield (Span(indent + text, tone),)


def _cut(text: str, columns: int) -> int:
    """How many characters fit."""
    used = 0
    for number, character in enumerate(text):
        used += width(character)
        if used > columns:
            return max(1, number)
    return len(text)


_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], least_range: float) -> str:
    """A column each; unknown ones blank. Scaled from the smallest to the largest, which are taken as at least so far apart."""
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low = min(known)
    span = max(max(known) - low, least_range) or 1.0
    return "".join(" " if value is None else _BLOCKS[min(7, int((value - low) / span * 8))] for value in values)


def bar(share: float | None, columns: int) -> str:
    """A filled part of a bar; unknown is shown as such."""
    if share is None:
        return cell("?", columns)
    filled = min(columns, max(0, round(share * columns)))
    if share > 0 and filled == 0:
        filled = 1
    return "█" * filled + "░" * (columns - filled)
