"""What a proof run proved, as rows of docs/proof/*.json (`tools/proof_table.py`); written only where OOMLENS_PROOF names the folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def proven(file: str, remedy: str, where: str, what: str, result: str = "proven", *, kernel: str | None = None) -> None:
    """Writes a row, in place of the one that said the same of the same place. kernel: default: the running one."""
    folder = os.environ.get("OOMLENS_PROOF")
    if not folder:
        return
    kernel = kernel or os.uname().release.split("-")[0]
    path = Path(folder) / f"{file}.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = [
        row
        for row in rows
        if (row["remedy"], row["where"], row["kernel"], row["what"]) != (remedy, where, kernel, what)
    ]
    rows.append(
        {
            "remedy": remedy,
            "where": where,
            "kernel": kernel,
            "what": what,
            "result": result,
            "date": time.strftime("%Y-%m-%d"),
        }
    )
    rows.sort(key=lambda row: (row["remedy"], row["where"], row["what"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
