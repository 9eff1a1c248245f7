"""What a preset is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Preset(NamedTuple):
    """document: as TOML would give it; `never` rules always hold, whatever a file says."""

    name: str
    about: str
    document: Mapping[str, Any]
