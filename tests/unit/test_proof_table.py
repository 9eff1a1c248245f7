"""The table of what was proven is made of what the proof runs wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_that_of_the_rows() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/proof_table.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
