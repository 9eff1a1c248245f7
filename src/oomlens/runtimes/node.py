"""The heap of V8 in Node.js: its default by the memory it sees, and one that fits into a limit.

Source: V8 src/heap/heap.cc (HeapSizeFromPhysicalMemory, YoungGenerationSizeFromOldGenerationSize); measured on Node 20 in memory
cgroups from 64 MiB to 20 GiB.
"""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30
LOWEST_SHARE, SHARE, HIGHEST_SHARE = 0.5, 0.65, 0.75
_LEAST, _MOST, _MOST_LARGE = 256 * MIB, 2 * GIB, 4 * GIB
_LARGE_BYTES = 15 * GIB  # measured: 15000 MiB are not, 16 GiB are
_SEMI_SPACES = 3
_MOST_SEMI = 16 * MIB


def default_heap(limit_bytes: int) -> int:
    """The heap without --max-old-space-size: bytes. Half of the limit, but no less than 256 MiB and no more than 2 GiB (4 GiB from 15 GiB on)."""
    most = _MOST_LARGE if limit_bytes >= _LARGE_BYTES else _MOST
    old = min(max(limit_bytes // 2, _LEAST), most)
    semi = MIB
    while old > _LEAST and semi < min(old // 128, _MOST_SEMI):
        semi *= 2
    return old + _SEMI_SPACES * semi


def heap_for(limit_bytes: int) -> int:
    """--max-old-space-size for a limit, in bytes: 65 %, since buffers are outside the heap."""
    return max(int(limit_bytes * SHARE) // MIB, 1) * MIB
