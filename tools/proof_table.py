"""docs/proof.md: each remedy and where it was proven, from the rows that the proof runs wrote (docs/proof/*.json); --check only compares.

A row is {"remedy", "where", "kernel", "what", "result", "date"}: `remedy` the words after `oomlens plan`, or "predict";
`where` fake-root, this-kernel, vm, docker, jvm …; `what` one sentence; `result` "proven", "failed" or "skipped: why".
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER, PAGE = ROOT / "docs/proof", ROOT / "docs/proof.md"
COLUMNS = ("remedy", "where", "kernel", "what", "result", "date")
HEAD = """# What was proven, and where

Made by `python tools/proof_table.py` from what the proof runs wrote; nothing here is typed by hand.
`n/m`: so many of so many runs did what the plan or prediction said.
The commands that repeat them are in [CONTRIBUTING](../CONTRIBUTING.md).
"""


def rows() -> list[dict[str, Any]]:
    """All rows, checked."""
    found: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            missing = set(COLUMNS) - row.keys()
            if missing:
                raise SystemExit(f"{path.name}: a row lacks {', '.join(sorted(missing))}")
            found.append(row)
    return found


def page(found: list[dict[str, Any]]) -> str:
    """The page."""
    cells: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        cells[row["remedy"]][row["where"]].append(row["result"])
    places = sorted({row["where"] for row in found})
    lines = [HEAD, _line(["remedy", *places]), _line(["---"] * (len(places) + 1))]
    lines += [_line([remedy, *(_cell(cells[remedy][place]) for place in places)]) for remedy in sorted(cells)]
    lines += ["", "## Each run", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
    ordered = sorted(found, key=lambda one: [str(one[key]) for key in COLUMNS])
    lines += [_line([str(row[key] if row[key] is not None else "-") for key in COLUMNS]) for row in ordered]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cell(results: list[str]) -> str:
    run = [result for result in results if not result.startswith("skipped")]
    if not run:
        return "skipped" if results else ""
    return f"{sum(result == 'proven' for result in run)}/{len(run)}"


def main(arguments: list[str]) -> int:
    text = page(rows())
    if "--check" in arguments:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.stderr.write("docs/proof.md is stale; run: python tools/proof_table.py\n")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
