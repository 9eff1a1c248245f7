"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

# tests/ is not a package of the product; its support code is imported as `support`.
sys.path.insert(0, str(Path(__file__).parent))
