"""Redis and Valkey: how much data fits into a limit. maxmemory counts neither copied pages nor buffers nor fragmentation.

While a snapshot or a rewrite of the log is written, every page that is written to meanwhile exists twice: at worst all of them.
"""

from __future__ import annotations

import re

MIB = 1 << 20
BASE_BYTES = 16 * MIB  # program, buffers of clients, backlog of replicas
_FREE_SHARE = 0.8  # without snapshots: fragmentation and buffers
_SIZE = re.compile(r"(?P<number>[0-9]{1,18})(?P<unit>b|k|kb|m|mb|g|gb)?", re.IGNORECASE)
# redis.conf: 1k is 1000 bytes, 1kb is 1024.
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


def size_of(text: str) -> int | None:
    """`100mb` and the like in bytes."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else int(found["number"]) * _UNITS[(found["unit"] or "").lower()]


def figures_of(info: str) -> dict[str, str]:
    """The lines of INFO by name."""
    found = {}
    for line in info.splitlines()[:1000]:
        name, colon, value = line.strip().partition(":")
        if colon and name.replace("_", "").isalnum() and len(value) <= 300:
            found[name] = value
    return found


def maxmemory_for(limit_bytes: int, *, snapshots: bool, base_bytes: int = BASE_BYTES) -> int:
    """The data that fits: half of what the base leaves with snapshots, else four fifths; bytes, whole MiB."""
    room = max(limit_bytes - base_bytes, 0)
    return max(int(room * (0.5 if snapshots else _FREE_SHARE)) // MIB, 1) * MIB


def limit_for(data_bytes: int, *, snapshots: bool, base_bytes: int = BASE_BYTES) -> int:
    """The limit that an amount of data needs: bytes."""
    return base_bytes + int(data_bytes / (0.5 if snapshots else _FREE_SHARE))
