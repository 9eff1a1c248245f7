"""swapon(2) itself, for what the program at hand cannot say."""

from __future__ import annotations

import os
from pathlib import Path

# include/linux/swap.h
_PREFER, _PRIORITY_MASK = 0x8000, 0x7FFF


def swap_on(place: Path, priority: int) -> None:
    """Turns a swap on with a priority, 0 to 32767. Raises OSError."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.swapon(os.fsencode(place), _PREFER | (priority & _PRIORITY_MASK)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(place))
