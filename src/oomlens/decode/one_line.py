"""Short ways to write a killer that says everything in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from oomlens.decode.killer import Sighting
from oomlens.model.record import Record

Read = Callable[[Sequence[Record], int], tuple[Sighting, int] | None]
Build = Callable[[re.Match[str], Record], Sighting | None]


def one_line(rows: Sequence[tuple[str, Build]], idents: Sequence[str] = ()) -> Read:
    """A reader of single lines: (pattern, what it means) rows, the first that fits wins.

    idents: the names under which the program logs; a line under another name is somebody's words about it.
    A record without a name (bare text) is believed.
    """
    compiled = [(re.compile(pattern, re.DOTALL), build) for pattern, build in rows]
    known = frozenset(idents)

    def read(records: Sequence[Record], index: int) -> tuple[Sighting, int] | None:
        record = records[index]
        if known and record.ident is not None and record.ident not in known:
            return None
        for pattern, build in compiled:
            found = pattern.search(record.text)
            if found is not None:
                sighting = build(found, record)
                if sighting is not None:
                    return sighting, 1
        return None

    return read


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def to_bytes(number: str, unit: str) -> int:
    """`12.5`, `MiB` -> bytes; binary units, as all of these programs mean them."""
    return int(float(number) * _UNITS[unit.strip().lower()[:1]])
