"""Writes into each Japanese page which English page it translates, after that translation has been read again.

python tools/manual_hash.py [--check]
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

MANUAL = Path(__file__).parent.parent / "src" / "oomlens" / "manual"
_MARK = re.compile(r"\A<!-- en: ([0-9a-f]{12}) -->\n")


def main() -> int:
    stale = []
    for english in sorted((MANUAL / "en").glob("*.md")):
        digest = hashlib.sha256(english.read_bytes()).hexdigest()[:12]
        japanese = MANUAL / "ja" / english.name
        text = japanese.read_text(encoding="utf-8")
        mark = _MARK.match(text)
        if mark is not None and mark[1] == digest:
            continue
        stale.append(english.name)
        if "--check" not in sys.argv:
            japanese.write_text(f"<!-- en: {digest} -->\n" + _MARK.sub("", text), encoding="utf-8")
    print("\n".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
