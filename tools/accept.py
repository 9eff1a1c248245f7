"""Rewrites the full decodes beside the cases (`tests/corpus/cases/*.json`) and names those that changed.

The headers of a case are never touched: they hold the truth, these files only hold what we decode today.
Review the difference like code.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.cases import all_cases
from support.decode import incidents
from support.golden import as_golden


def main() -> int:
    changed = 0
    for case in all_cases():
        text = as_golden(incidents(case.log))
        if not case.golden.exists() or case.golden.read_text(encoding="utf-8") != text:
            case.golden.write_text(text, encoding="utf-8")
            print(f"accepted {case.golden.name}")
            changed += 1
    print(f"{changed} of {len(all_cases())} changed; read the difference before it is committed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
