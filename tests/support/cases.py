"""Cases: a real log with its truth written by hand, in one file.

`#` lines say why the case exists and where it is from; `NAME: value` headers are the truth; a blank line; the log as it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "corpus" / "cases"


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    headers: tuple[tuple[str, str], ...]
    log: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


def load(path: Path) -> Case:
    head, _, log = path.read_bytes().partition(b"\n\n")
    headers: list[tuple[str, str]] = []
    for line in head.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition(": ")
            headers.append((name, value))
    return Case(path.stem, tuple(headers), log)


def all_cases() -> list[Case]:
    return [load(path) for path in sorted(FOLDER.glob("*.case"))]
