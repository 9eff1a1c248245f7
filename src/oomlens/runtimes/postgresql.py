"""PostgreSQL's memory settings: their units, defaults and worst case. Source: its manual, 19.1 and 19.4 (version 15)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

KIB, MIB = 1 << 10, 1 << 20
_SIZE = re.compile(r"(?P<number>[0-9]{1,15})\s*(?P<unit>B|kB|MB|GB|TB)?")
_SHIFT = {"B": 0, "kB": 10, "MB": 20, "GB": 30, "TB": 40}
# Without a unit: blocks of 8 kB, or kB.
_OWN_UNIT = {"shared_buffers": 13, "work_mem": 10, "maintenance_work_mem": 10}
DEFAULTS = {
    "shared_buffers": "128MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "64MB",
    "hash_mem_multiplier": "2.0",  # 1.0 before 15
    "max_connections": "100",
    "max_parallel_workers": "8",
}
_BACKEND_BYTES = 5 * MIB  # catalogue caches, plans and stack of a connection
LEAST_WORK_BYTES = MIB
_SHARE = 0.9


class Settings(NamedTuple):
    """Those that decide how much memory the server may take."""

    shared_bytes: int
    work_bytes: int
    maintenance_bytes: int
    hash_multiplier: float
    connections: int
    parallel_workers: int
    backend_bytes: int = _BACKEND_BYTES


def size_of(name: str, text: str) -> int | None:
    """A setting's value in bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    return int(found["number"]) << (_SHIFT[found["unit"]] if found["unit"] else _OWN_UNIT.get(name, 0))


def spelled(size_bytes: int) -> str:
    """As its files have sizes; whole kB."""
    return f"{size_bytes // MIB}MB" if size_bytes % MIB == 0 else f"{size_bytes // KIB}kB"


def given_on_command_line(argv: Sequence[str]) -> dict[str, str]:
    """`-c name=value`, `--name=value`, `-B`, `-N`, `-S`: they win over all files."""
    found: dict[str, str] = {}
    short = {"-B": "shared_buffers", "-N": "max_connections", "-S": "work_mem"}
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word = f"--{words.pop(0)}"
        if word in short and words:
            found[short[word]] = words.pop(0)
        elif word.startswith("--") and "=" in word:
            name, _, value = word[2:].partition("=")
            found[name.replace("-", "_")] = value
    return found


def worst_case(settings: Settings) -> int:
    """Every connection and parallel worker runs one hash of the largest size, beside the shared buffers: bytes.

    A query may hold several such; most hold none.
    """
    each = int(settings.work_bytes * settings.hash_multiplier)
    at_work = settings.connections + min(settings.parallel_workers, settings.connections)
    return (
        settings.shared_bytes
        + settings.maintenance_bytes
        + settings.connections * settings.backend_bytes
        + at_work * each
    )


def fitted(settings: Settings, limit_bytes: int) -> Settings | None:
    """Settings whose worst case is nine tenths of a limit: work_mem first, then connections; None where it is too small."""
    goal = int(limit_bytes * _SHARE)
    shared = settings.shared_bytes
    if shared > limit_bytes * 0.4:
        shared = limit_bytes // 4 // MIB * MIB
    now = settings._replace(shared_bytes=shared)
    if worst_case(now) <= goal:
        return now
    room = goal - worst_case(now._replace(work_bytes=0))
    at_work = now.connections + min(now.parallel_workers, now.connections)
    work = int(room / at_work / now.hash_multiplier) // MIB * MIB
    if work >= LEAST_WORK_BYTES:
        return now._replace(work_bytes=min(work, settings.work_bytes))
    least = now._replace(work_bytes=min(LEAST_WORK_BYTES, settings.work_bytes))
    for connections in range(now.connections, 9, -1):
        if worst_case(least._replace(connections=connections)) <= goal:
            return least._replace(connections=connections)
    return None
