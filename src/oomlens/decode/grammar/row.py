"""What a row of the grammar is: one line that the kernel prints, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Value = int | str | None
Unit = Literal["int", "hex", "kB", "text"]


class Fact(NamedTuple):
    """What a line says: the row's id, and its fields with sizes already in bytes."""

    id: str
    values: Mapping[str, Value]

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if isinstance(value, str) else None


class LineSample(NamedTuple):
    """A line as a kernel printed it, and the values that it must give."""

    line: str
    values: Mapping[str, Value]


# How a captured text becomes a value; `kB` becomes bytes.
_UNITS: Mapping[Unit, Callable[[str], Value]] = {
    "int": int,
    "hex": lambda text: int(text, 16),
    "kB": lambda text: int(text) * 1024,
    "text": str,
}


@dataclass(frozen=True, slots=True)
class LineRow:
    """One kernel line.

    id: what the assembler calls it. needle: a literal that tells a line of this kind, wrapped or not.
    pattern: reads the whole line; its named groups are the fields. units: unit of each group that is not text.
    commits: what introduced and changed the line. samples: checked by a test.
    extendable: the line may go on although the pattern already matches (optional tail).
    weak: reads a line that lost its end; used only where nothing stricter fits.
    """

    id: str
    needle: str
    pattern: str
    samples: tuple[LineSample, ...]
    units: Mapping[str, Unit] = field(default_factory=dict)
    commits: tuple[str, ...] = ()
    extendable: bool = False
    weak: bool = False

    def compiled(self) -> Callable[[str], Fact | None]:
        """A reader for this row: text -> fact, or None where the strict pattern does not fit."""
        match = re.compile(self.pattern, re.DOTALL).match
        convert = [(name, _UNITS[unit]) for name, unit in self.units.items()]
        row_id = self.id

        def read(text: str) -> Fact | None:
            found = match(text)
            if found is None:
                return None
            values: dict[str, Value] = found.groupdict()
            for name, to_value in convert:
                raw = values[name]
                if isinstance(raw, str):
                    values[name] = to_value(raw)
            return Fact(row_id, values)

        return read
