"""Bytes as people read them. Units are binary, as the kernel counts."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def size(value: int | None, unknown: str = "?") -> str:
    """1536 -> `1.5 KiB`, 3584000000 -> `3.3 GiB`; three digits are enough to compare."""
    if value is None:
        return unknown
    if value < 0:
        return f"-{size(-value)}"
    if value < 1024:
        return f"{value} B"
    amount, power = value / 1024, 0
    while amount >= 999.5 and power + 1 < len(_UNITS):
        amount, power = amount / 1024, power + 1
    digits = 0 if amount >= 100 or amount == int(amount) else 1
    return f"{amount:.{digits}f} {_UNITS[power]}"


def short_size(value: float | None, unknown: str = "?") -> str:
    """As `free -h` prints it, for narrow tables: 1536 -> `1.5Ki`, 3584000000 -> `3.3Gi`, 0 -> `0`; at most 6 columns."""
    if value is None:
        return unknown
    whole = round(value)
    if whole < 0:
        return f"-{short_size(-whole)}"
    return "0" if whole == 0 else size(whole).replace("iB", "i").replace(" ", "")


def change(per_second: float | None, unknown: str = "?") -> str:
    """Bytes per second with their sign, for a column that says so: `+2.4Mi`, `-12Ki`, `0`; at most 7 columns."""
    if per_second is None:
        return unknown
    whole = round(per_second)
    return f"{'+' if whole > 0 else ''}{short_size(whole)}"
