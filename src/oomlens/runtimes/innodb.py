"""InnoDB's buffer pool: how it is sized, rounded, and what comes on top. Source: MySQL 8.0 manual, 15.8.3 and 15.8.12."""

from __future__ import annotations

import re

MIB, GIB = 1 << 20, 1 << 30
DEFAULT_POOL_BYTES = 128 * MIB
DEFAULT_CONNECTIONS = 151
HIGHEST_SHARE = 0.7  # of a limit, overhead included
OVERHEAD = 0.05  # control structures of the pool
# Of one connection: stack, sort, join, read and network buffers by default; more with larger settings.
CONNECTION_BYTES = 2 * MIB
_CHUNK_BYTES = 128 * MIB
_INSTANCES = 8  # from 1 GiB on
_SIZE = re.compile(r"(?P<number>[0-9]{1,15})(?P<unit>[KMGT]?)", re.IGNORECASE)
_SHIFT = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def size_of(text: str) -> int | None:
    """`512M`, `1G` or bytes."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else int(found["number"]) << _SHIFT[found["unit"].upper()]


def dedicated_pool(memory_bytes: int) -> int:
    """What innodb_dedicated_server takes of the memory that the server detects: bytes."""
    if memory_bytes < GIB:
        return DEFAULT_POOL_BYTES
    return memory_bytes // 2 if memory_bytes <= 4 * GIB else memory_bytes * 3 // 4


def rounded_up(pool_bytes: int) -> int:
    """As the server makes it: whole chunks for each instance, upwards."""
    grain = _CHUNK_BYTES * (_INSTANCES if pool_bytes >= GIB else 1)
    return pool_bytes if pool_bytes < _CHUNK_BYTES else -(-pool_bytes // grain) * grain


def pool_for(limit_bytes: int) -> int:
    """A pool that the server does not round up, 0.5 to 0.6 of a limit: bytes."""
    share = int(limit_bytes * (0.6 if limit_bytes >= GIB else 0.5))
    if share < _CHUNK_BYTES:
        return max(share // MIB, 5) * MIB
    grain = _CHUNK_BYTES * _INSTANCES if share >= GIB else _CHUNK_BYTES
    return share // grain * grain
