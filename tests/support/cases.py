"""The corpus: real logs with their truth in headers (`tests/corpus/cases/*.case`).

A case is UTF-8 headers, a blank line, and the log byte for byte.
Lines that begin with `#` say why the case exists.
Headers are written by hand from reading the log, never generated; unknown is `-`:

    SOURCE      where the log is from
    REPORTS     number of reports of the kernel's OOM killer
    OUTCOME, SCOPE, CONSTRAINT, COMPLETE, TASKS    one word for each report, in order
    REPEATS     repeats of the first report, where not 1
    KERNEL      release, one line for each
    INVOKER     comm pid gfp_mask order oom_score_adj, one line for each report that shows one
    VICTIM      comm pid, one line for each, in order
    SIZES       pid total_vm anon_rss file_rss shmem_rss, in kB
    MEMCG       path limit_bytes usage_bytes; `unlimited` for a limit that is none
    SWAP        total_bytes free_bytes, one line for each report that shows them
    RAM-PAGES   one line for each report that shows them
    FINDING     a rule that must be among the first three found causes of the first report
    NOT         a rule that must not be found for it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "corpus" / "cases"
HEADERS = (
    "SOURCE", "REPORTS", "OUTCOME", "SCOPE", "CONSTRAINT", "COMPLETE", "TASKS", "REPEATS", "KERNEL", "INVOKER",
    "VICTIM", "SIZES", "MEMCG", "SWAP", "RAM-PAGES", "FINDING", "NOT",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file. headers: every value of each header, in the order of the file."""

    name: str
    why: str
    headers: Mapping[str, Sequence[str]]
    log: bytes

    def one(self, name: str) -> str | None:
        values = self.headers.get(name, ())
        return values[0] if values else None

    def all(self, name: str) -> Sequence[str]:
        return self.headers.get(name, ())

    def words(self, name: str) -> list[str]:
        """The words of a header that has one word for each report."""
        return (self.one(name) or "").split()

    @property
    def golden(self) -> Path:
        return FOLDER / f"{self.name}.json"


def read_case(path: Path) -> Case:
    """Reads a case; ValueError names the file and the line where a header is unknown or malformed."""
    head, _, log = path.read_bytes().partition(b"\n\n")
    why: list[str] = []
    headers: dict[str, list[str]] = {}
    for number, line in enumerate(head.decode("utf-8").split("\n"), 1):
        if line.startswith("#"):
            why.append(line.lstrip("# "))
            continue
        name, colon, value = line.partition(": ")
        if not colon or name not in HEADERS:
            raise ValueError(f"{path}:{number}: not a header of a case: {line!r}; known: {', '.join(HEADERS)}")
        headers.setdefault(name, []).append(value)
    if not why or "SOURCE" not in headers or "REPORTS" not in headers:
        raise ValueError(f"{path}: a case says why it exists (# …), its SOURCE, and its REPORTS")
    return Case(path.stem, " ".join(why), headers, log)


@lru_cache(maxsize=1)
def all_cases() -> tuple[Case, ...]:
    return tuple(read_case(path) for path in sorted(FOLDER.glob("*.case")))
