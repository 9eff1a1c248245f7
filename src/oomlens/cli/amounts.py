"""Sizes and durations as people type them."""

from __future__ import annotations

import argparse
import re

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([KMGT]?)(?:i?B)?", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|min|h|d|w)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def size_bytes(text: str) -> int:
    """`64M`, `1.5G`, `1048576`; units are binary."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: not a size; try 64M or 1.5G")
    return int(float(found[1]) * (1 << (10 * _POWERS[found[2].lower()])))


def duration_seconds(text: str) -> float:
    """`24h`, `2d`, `90m`, `0.5s`; a bare number is seconds."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: not a duration; try 24h, 2d, 90m or 30s")
    return float(found[1]) * _SECONDS[(found[2] or "s").lower()]
