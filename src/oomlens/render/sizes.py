"""Bytes as people read them. Units are binary, as the kernel counts."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def size(value: int | None, unknown: str = "?") -> str:
    """1536 -> `1.5 KiB`, 3584000000 -> `3.3 GiB`; three digits are enough to compare."""
    if value is None:
        return unknown
    sign, rest = ("-", -value) if value < 0 else ("", value)
    if rest < 1024:
        return f"{sign}{rest} B"
    amount = float(rest)
    unit = _UNITS[0]
    for unit in _UNITS:
        amount /= 1024
        if amount < 999.5:
            break
    return f"{sign}{amount:.0f} {unit}" if amount >= 100 or amount == int(amount) else f"{sign}{amount:.1f} {unit}"
