"""What a verdict rests on."""

from __future__ import annotations

from typing import NamedTuple


class Evidence(NamedTuple):
    """One number (or word) that a verdict rests on, and what it was compared with.

    unit: "bytes", "pages", "count", "percent", "seconds", "ratio" or None for words.
    comparison: the arithmetic in one short expression of names and values, such as "swap_total_bytes == 0".
    line: of the source, where the value was read; None for a derived value.
    """

    name: str
    value: int | float | str | bool | None
    unit: str | None = None
    comparison: str | None = None
    line: int | None = None
