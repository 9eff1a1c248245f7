"""Columns of a table that has to fit: the least important ones give way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.render.sanitize import width
from oomlens.render.top.styled import Span, Tone

GAP = 1


class Column(NamedTuple):
    """key: also what it sorts by, where `sorts`. least: columns that it needs; `rest` takes what is left over.

    gives_way: the higher, the sooner it is left out; 0: never.
    """

    key: str
    title: str
    least: int
    right: bool = True
    sorts: bool = True
    rest: bool = False
    gives_way: int = 0


class Row(NamedTuple):
    """A row of a table. key: what it stays known by; tone: of the cells that have none."""

    key: str
    cells: tuple[Span, ...]
    tone: Tone = Tone.PLAIN


def fitting(columns: Sequence[Column], room: int) -> list[tuple[Column, int]]:
    """Those that fit, each with its width; the one with `rest` fills the room."""
    chosen = list(columns)
    while _needed(chosen) > room:
        weakest = max(chosen, key=lambda column: column.gives_way)
        if weakest.gives_way == 0:
            break
        chosen.remove(weakest)
    left = max(0, room - _needed(chosen))
    return [(column, _least(column) + (left if column.rest else 0)) for column in chosen]


def _least(column: Column) -> int:
    # One column more for the mark of the sorted one, which a heading may need.
    return max(column.least, width(column.title))


def _needed(columns: Sequence[Column]) -> int:
    return sum(_least(column) for column in columns) + GAP * max(0, len(columns) - 1)
