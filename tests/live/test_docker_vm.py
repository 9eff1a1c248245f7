"""Docker on cgroup version 2, in a throw-away machine: the tests of test_docker.py run in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.docker_vm import run_in_vm

pytestmark = pytest.mark.live


def test_the_same_holds_on_cgroup_version_2(tmp_path: Path) -> None:
    code, rows, console = run_in_vm(tmp_path, "live/test_docker.py")
    assert code == 0, console[-6000:]
    assert len(rows) >= 8
    folder = os.environ.get("OOMLENS_PROOF")
    if folder:
        path = Path(folder) / "containers.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        kept = [row for row in known if row["where"] != "vm"]
        merged = sorted((*kept, *rows), key=lambda row: (row["remedy"], row["where"], row["what"]))
        path.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
