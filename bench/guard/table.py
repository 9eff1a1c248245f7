"""docs/guard-bench.md: what was asked of our guard beside what was measured, and every guard's figures; --check only compares.

Made from results.json and native.json beside this file, which `make bench-guard` writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from guard_folders import HERE
from reports import killed, table, tables, verdict
from targets import OURS, TARGETS
from works import WORKS

RESULTS, NATIVE, PAGE = HERE / "results.json", HERE / "native.json", HERE.parent.parent / "docs/guard-bench.md"
NATIVE_MOST_MS = 50
HEAD = """# Guards side by side

Made by `python bench/guard/table.py` from `bench/guard/results.json` and `native.json`; nothing here is typed by hand. The figures come from

    make bench-guard

which runs every guard beside every workload on a real kernel ({kernel}) in a virtual machine: one processor, {ram_mb} MB, a disk that
answers {disk_ms} ms late, every guard with its defaults. Time is virtual (one instruction is {ns_per_insn} ns), so a busy host makes a run
slower, not different. [bench/guard/README](../bench/guard/README.md) says how it works and what it does not show.
Measured on: {dates}.
"""
SLOW = """
The virtual processor runs 250 million instructions a second, a tenth or less of a real one; the times of `decide` are of it."""
ONE_ROW = """## One row a guard

Seconds to the leaker's death, in brackets the lowest available MB; **bold**: the kernel had to kill, or nobody did, or somebody innocent died.
`healthy`: who died, though nobody leaked. A cell is empty where the guard cannot be set so.
"""


def page(kept: Mapping[str, Any], native: Mapping[str, Any]) -> str:
    """The page."""
    rows: Sequence[dict[str, Any]] = kept["results"]
    dates = ", ".join(sorted({row["date"] for row in rows}))
    parts = [HEAD.format(**{**kept, "dates": dates}), *_targets(rows, native), ONE_ROW, _guards(rows)]
    parts += ["## The workloads", "\n".join(f"- `{name}`: {work.what}" for name, work in WORKS.items())]
    return "\n".join([*(part + "\n" for part in parts), "## Every figure\n", tables(rows)]) + "\n"


def _targets(rows: Sequence[Mapping[str, Any]], native: Mapping[str, Any]) -> list[str]:
    ours = {row["work"]: row for row in rows if row["guard"] == OURS and "error" not in row}
    lines: list[list[object]] = []
    for target in TARGETS:
        value = target.measure(ours[target.work]) if target.work in ours else None
        shown = "-" if value is None else f"{value:.{target.digits}f}{target.unit}"
        lines.append([target.work, target.what, target.bound(), shown, "yes" if target.met(value) else "**no**"])
    real = f"choosing among {native['processes']:,} processes in real time, a machine of today, Linux {native['kernel']}, median"
    met = "yes" if native["median_ms"] <= NATIVE_MOST_MS else "**no**"
    lines.append(["`native.py`", real, f"at most {NATIVE_MOST_MS} ms", f"{native['median_ms']} ms", met])
    innocent = sum(len(killed(row)) for row in ours.values())
    lines.append(["all", "innocent processes killed", "none", innocent, "yes" if ours and not innocent else "**no**"])
    return [
        "## What was asked of `oomlens guard`\n",
        table(("workload", "figure", "asked", "measured", "met"), lines),
        SLOW,
    ]


def _guards(rows: Sequence[Mapping[str, Any]]) -> str:
    works = [work for work in WORKS if work != "idle"]
    at = {(row["guard"], row["work"]): row for row in rows}
    names = sorted({row["guard"] for row in rows}, key=lambda name: (name != OURS, name))
    lines = [[name, *(_cell(at.get((name, work))) for work in works)] for name in names]
    return table(("guard", *works), lines)


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    if "error" in row:
        return "ERROR"
    others = killed(row)
    if WORKS[row["work"]].nobody_leaks:
        return f"**{verdict(row)}**" if others else "nobody"
    text = "lives" if row["dead_s"] < 0 else f"{row['dead_s']:.2f} ({row['min_avail_mb']:.0f})"
    if others:
        text += f", also {', '.join(sorted(set(others)))}"
    return f"**{text}**" if others or row["dead_s"] < 0 or row["kernel_oom_kills"] else text


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it."""
    text = page(*(json.loads(file.read_text(encoding="utf-8")) for file in (RESULTS, NATIVE)))
    if "--check" in arguments:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            sys.stderr.write("docs/guard-bench.md is stale; run: python bench/guard/table.py\n")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
