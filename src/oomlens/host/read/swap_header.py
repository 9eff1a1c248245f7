"""The first page of a swap: its header. Source: include/linux/swap.h (union swap_header)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

# The magic ends the first page, whatever its size.
_PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)
_MAGICS = (b"SWAPSPACE2", b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0")
_UUID, _LABEL = slice(1036, 1052), slice(1052, 1068)


class SwapNames(NamedTuple):
    """What fstab may call it by; None where there is none."""

    uuid: str | None
    label: str | None


def header_of(place: Path) -> bytes | None:
    """The first page of a swap file or device; None of anything else. A link is not followed. Raises OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not (stat.S_ISREG(os.fstat(descriptor).st_mode) or stat.S_ISBLK(os.fstat(descriptor).st_mode)):
            return None
        data = os.pread(descriptor, _PAGE_SIZES[-1], 0)
    finally:
        os.close(descriptor)
    return next((data[:size] for size in _PAGE_SIZES if data[size - 10 : size] in _MAGICS), None)


def names_in(header: bytes) -> SwapNames:
    """UUID and label."""
    raw = header[_UUID].hex()
    uuid = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}" if raw.strip("0") else None
    label = header[_LABEL].split(b"\0")[0].decode("utf-8", "surrogateescape")
    return SwapNames(uuid, label or None)
