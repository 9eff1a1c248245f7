"""The recorder's own pages stay in RAM: when memory is short is when it must run."""

from __future__ import annotations

# include/uapi/asm-generic/mman.h; the same on x86 and ARM. ONFAULT (4.4 on): only what is used, so that the resident size does not grow.
_CURRENT, _FUTURE, _ONFAULT = 1, 2, 4


def lock_memory() -> bool:
    """Locks what this process uses from now on; False where it may not (RLIMIT_MEMLOCK), which only makes it slower under pressure."""
    import ctypes

    try:
        lock = ctypes.CDLL(None, use_errno=True).mlockall
    except (OSError, AttributeError):
        return False
    return bool(lock(_CURRENT | _FUTURE | _ONFAULT) == 0)
