"""Tones as the terminal's own 16 colours and attributes: legible in light and dark, over ssh, and without colour."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from oomlens.render.sanitize import width
from oomlens.render.top.styled import Line, Span, Tone

STYLES: dict[Tone, Style] = {
    Tone.PLAIN: Style(),
    Tone.DIM: Style(dim=True),
    Tone.STRONG: Style(bold=True),
    Tone.HEAD: Style(bold=True, underline=True),
    Tone.CHOSEN: Style(bold=True, reverse=True),
    Tone.GOOD: Style(color="green"),
    Tone.WARN: Style(color="yellow"),
    Tone.BAD: Style(color="red", bold=True),
    Tone.ALARM: Style(color="red", bold=True, reverse=True),
}
CURSOR = Style(reverse=True)
NOTHING = Style()


def strip_of(line: Iterable[Span], columns: int, over: Style = NOTHING) -> Strip:
    """A line of exactly so many columns. over: a style on top of all. What looks the same is one segment, for fewer escapes."""
    segments: list[Segment] = []
    for tone, parts in groupby((span for span in line if span.text), key=lambda span: span.tone):
        segments.append(Segment("".join(span.text for span in parts), STYLES[tone] + over))
    return Strip(segments).adjust_cell_length(columns, over)


def pressed(line: Line, x: int) -> str | None:
    """What a click in this column does."""
    for span in line:
        x -= width(span.text)
        if x < 0:
            return span.press
    return None
