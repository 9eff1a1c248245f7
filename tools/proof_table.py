"""docs/proof.md: each remedy and where it was proven, from the rows that the proof runs wrote (docs/proof/*.json); --check only compares.

A row is {"remedy", "where", "kernel", "what", "result", "date"}: `remedy` the words after `oomlens plan`, or "predict";
`where` fake-root, this-kernel, vm, docker, jvm …; `what` one sentence; `result` "proven", "failed" or "skipped: why".
A row of a prediction may have "counts" {"mixes", "right", "tie", "wrong", "void"} and "notes", what was not right and why.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER, PAGE = ROOT / "docs/proof", ROOT / "docs/proof.md"
COLUMNS = ("remedy", "where", "kernel", "what", "result", "date")
HEAD = """# What was proven, and where

Made by `python tools/proof_table.py` from what the proof runs wrote; nothing here is typed by hand.
`n/m`: so many of so many runs did what the plan or prediction said.
The commands that repeat them are in [CONTRIBUTING](../CONTRIBUTING.md).
[proof/README](proof/README.md) says what the rows do not show, results that were replaced among it.
"""


PREDICTED = """Random mixes of sizes, scores, nested limits, groups, swap, memory nodes, and of who grows how, until the kernel kills.
`right`: the predicted process, or the predicted group, was killed. `tie`: another one that stood behind by less than the last step
of the one that grew, and the kernel's own table shows that sizes had moved since. `void`: nothing to judge, with the reason below."""


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
    lines += predictions([row for row in found if row.get("counts")])
    lines += ["", "## Each run", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
    ordered = sorted(found, key=lambda one: [str(one[key]) for key in COLUMNS])
    lines += [_line([str(row[key] if row[key] is not None else "-") for key in COLUMNS]) for row in ordered]
    return "\n".join(lines) + "\n"


def predictions(found: list[dict[str, Any]]) -> list[str]:
    """Mixes of processes by kernel: how many of the killed were the predicted ones, and every other case in words."""
    if not found:
        return []
    words = ("mixes", "right", "tie", "wrong", "void")
    lines = [
        "",
        "## Predicted victim = killed victim",
        "",
        PREDICTED,
        "",
        _line(["kernel", *words]),
        _line(["---"] * 6),
    ]
    run = [row for row in found if not row["result"].startswith("skipped")]
    for kernel in sorted({row["kernel"] for row in run}, key=_by_number):
        rows = [row["counts"] for row in run if row["kernel"] == kernel]
        lines.append(_line([kernel, *(str(sum(row[word] for row in rows)) for word in words)]))
    notes = [f"- {row['kernel']} {note}" for row in found for note in row.get("notes", ())]
    return [*lines, *(["", *notes] if notes else []), *_distances(run)]


def _distances(run: list[dict[str, Any]]) -> list[str]:
    """How far off the end was said to be just before it came."""
    lines = ["", "What the distance still was in the last snapshot before the kill, MiB:", ""]
    lines += [_line(["what was full", "median", "most"]), _line(["---"] * 3)]
    for name in sorted({row["what"].partition(":")[0] for row in run if row.get("left_bytes")}):
        of_name = [row["left_bytes"] for row in run if row["what"].partition(":")[0] == name and row.get("left_bytes")]
        middle, most = median(left["median"] for left in of_name), max(left["most"] for left in of_name)
        lines.append(_line([name, f"{middle / 2**20:.1f}", f"{most / 2**20:.1f}"]))
    return lines


def _by_number(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)[:3]]


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
