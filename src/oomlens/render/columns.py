"""Rows of cells as aligned columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oomlens.render.sanitize import fit, width


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = (), indent: str = "") -> list[str]:
    """A line for each row; `right`: columns of numbers. Cells are safe to print and never cut; all rows are as long."""
    if not rows:
        return []
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        (
            indent
            + "  ".join(
                " " * (widths[column] - width(cell)) + cell if column in right else fit(cell, widths[column])
                for column, cell in enumerate(row)
            )
        ).rstrip()
        for row in rows
    ]


def shortened(text: str, columns: int) -> str:
    """The text, or its beginning and an ellipsis where it is wider."""
    if width(text) <= columns:
        return text
    kept = ""
    for character in text:
        if width(kept + character) >= columns:
            break
        kept += character
    return kept + "…"
