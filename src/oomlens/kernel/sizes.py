"""Sizes as people write them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,6})?)\s?(?P<unit>[KMGTP]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50}


def bytes_of(text: str) -> int | None:
    """`512M`, `1.5G`, `4 GiB` or bytes; units are binary. None where it is no size."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else round(float(found["number"]) * (1 << _SHIFTS[found["unit"].upper()]))


def suffixed(size_bytes: int) -> str:
    """A size exactly, as tools take it: `4G`, `640M`, `1536K`, `12345`."""
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size_bytes and size_bytes % (1 << shift) == 0:
            return f"{size_bytes >> shift}{unit}"
    return str(size_bytes)
