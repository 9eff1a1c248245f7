"""The task table (mm/oom_kill.c dump_tasks): columns are taken from the header line, never from the kernel version."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

HEADER = re.compile(r"^\s*\[\s*pid\s*\]\s+uid\s.*?\bname\s*$")
HEADER_START = re.compile(r"^\s*\[\s*pid\s*\]")
ROW_START = re.compile(r"^\s*\[\s*\d+\]\s+-?\d")
ANNOUNCEMENT = "Tasks state (memory values in pages):"
# Every column that a kernel has printed; another one is read all the same.
KNOWN_COLUMNS = frozenset(
    (
        "pid",
        "uid",
        "tgid",
        "total_vm",
        "rss",
        "rss_anon",
        "rss_file",
        "rss_shmem",
        "nr_ptes",
        "nr_pmds",
        "nr_puds",
        "pgtables_bytes",
        "swapents",
        "cpu",
        "oom_adj",
        "oom_score_adj",
    )
)
_COLUMN = re.compile(r"\S+")
# Every table that mainline printed begins with these; a table whose header is lost is read this far.
_HEADLESS_COLUMNS = ("pid", "uid", "tgid", "total_vm", "rss", "oom_score_adj")
_HEADLESS = re.compile(
    r"^\s*\[\s*(\d+)\]\s+(-?\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(?:-?\d+\s+)*?(-?\d+) ((?:[^\d\s\-]|-(?!\d)).*|)$", re.DOTALL
)

# The cells of a row as printed: its numbers in the order of the columns, and the name.
Cells = tuple[str, ...]


class Rows(NamedTuple):
    """Rows of one table that stand together. A table may have tens of thousands, so they are not a value each."""

    columns: tuple[str, ...]
    cells: list[Cells]


@lru_cache(maxsize=32)
def columns_of(header: str) -> tuple[str, ...]:
    """Names of the number columns of a header line, `pid` first; the name column is left out."""
    words = _COLUMN.findall(header.replace("[", " ").replace("]", " "))
    return tuple(words[:-1])


@lru_cache(maxsize=32)
def _row_pattern(count: int) -> re.Pattern[str]:
    # One blank stands between the last number and the name, which may itself begin with blanks.
    numbers = r"\s+(-?\d+)" * (count - 1)
    return re.compile(rf"^\s*\[\s*(\d+)\]{numbers}(?: (.*))?$", re.DOTALL)


@lru_cache(maxsize=32)
def _rows_pattern(count: int) -> re.Pattern[str]:
    numbers = r" +(-?\d+)" * (count - 1)
    return re.compile(rf"^ *\[ *(\d+)\]{numbers} (.*)$", re.MULTILINE)


def read_rows(block: str, columns: tuple[str, ...]) -> Rows | None:
    """Rows that stand line under line, all of them or None; one search for all is much quicker than one each."""
    found = _rows_pattern(len(columns)).findall(block)
    return Rows(columns, found) if len(found) == block.count("\n") + 1 else None


def read_row(text: str, columns: tuple[str, ...] | None) -> Rows | None:
    """A single row, or None where the text is not one (or a damaged one).

    columns: from `columns_of`; None where the header is lost, then only the certain columns are given.
    """
    if columns is None:
        found = _HEADLESS.match(text)
        return Rows(_HEADLESS_COLUMNS, [found.groups()]) if found is not None else None
    found = _row_pattern(len(columns)).match(text)
    if found is None:
        return None
    *numbers, name = found.groups()
    return Rows(columns, [(*numbers, name or "")])


def read_cut_row(text: str, columns: tuple[str, ...] | None) -> Rows | None:
    """A row whose end is lost: its leading numbers but the last, which may have lost digits; None below the `rss` column."""
    cells = text.replace("[", " ", 1).replace("]", " ", 1).split()
    if columns is None or not 6 <= len(cells) <= len(columns) or not all(cell.lstrip("-").isdigit() for cell in cells):
        return None
    return Rows(columns[: len(cells) - 1], [(*cells[:-1], "")])
