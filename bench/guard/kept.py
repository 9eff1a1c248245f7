"""The figures that the page is made of: results.json beside this file, without logs and samples."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from works import WORKS

LEAVE_OUT = ("samples", "log", "kernel", "console", "notes", "wall_s")
SIGNALS = 8


def keep(file: Path, head: Mapping[str, object], results: Sequence[dict[str, Any]]) -> None:
    """Put these results in place of those of the same guard and workload. Cells of another kind of machine do not mix."""
    old: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"results": []}
    known = {(row["guard"], row["work"]): row for row in old["results"] if _same(old, head)}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    for result in results:
        row = {name: value for name, value in result.items() if name not in LEAVE_OUT}
        row["signals"] = result.get("signals", [])[:SIGNALS]
        known[result["guard"], result["work"]] = {**row, **_said(result), "date": today}
    order = list(WORKS)
    rows = sorted(known.values(), key=lambda row: (order.index(row["work"]), row["guard"]))
    lines = ",\n".join(json.dumps(row) for row in rows)
    file.write_text(json.dumps(dict(head))[:-1] + ', "results": [\n' + lines + "\n]}\n")


def _same(old: Mapping[str, object], head: Mapping[str, object]) -> bool:
    return all(old.get(name) == value for name, value in head.items())


def _said(result: Mapping[str, Any]) -> dict[str, float | None]:
    """What our own guard's log says: when it first warned (after the start of the leak), how long its first decision took it."""
    warned_s = decided_ms = None
    for line in result.get("log", "").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("event") == "warned" and warned_s is None:
            warned_s = round(event["uptime_seconds"] - result["uptime0_s"], 3)
        if event.get("event") == "decided" and decided_ms is None:
            decided_ms = event.get("took_ms")
    return {"warned_s": warned_s, "decided_ms": decided_ms}
