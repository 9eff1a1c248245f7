"""Which files of a history have to go: bounded by hours of recording and by bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# So that a recorder that is started again and again does not leave thousands of tiny files.
MOST_FILES = 500


class Stored(NamedTuple):
    """A file of a history. recorded_seconds: how long was recorded in it; a machine that was off does not count."""

    name: str
    size_bytes: int
    recorded_seconds: float
    kills: int = 0


class Keep(NamedTuple):
    """The bounds. seconds: of recording. size_bytes: of all files together."""

    seconds: float = 86400.0
    size_bytes: int = 64 << 20


def surplus(files: Sequence[Stored], keep: Keep, coming_bytes: int = 0) -> list[str]:
    """Names of the files to remove, oldest first, before `coming_bytes` are written. The last file is the one in use and stays.

    Hours are those of recording, so that a clock that is set, or a weekend without power, costs nothing.
    A file with a kill, and the one before it, are kept longer, as long as half of the room is enough for all such files.
    """
    old = list(files[:-1])
    pinned = _pinned(files, keep.size_bytes // 2)
    gone: list[str] = []
    newer = sum(one.recorded_seconds for one in files)
    for one in old:
        newer -= one.recorded_seconds
        if newer >= keep.seconds and one.name not in pinned:
            gone.append(one.name)
    left = [one for one in old if one.name not in gone]
    total = sum(one.size_bytes for one in [*left, *files[-1:]]) + coming_bytes
    # Those without a kill go first.
    for one in [*(one for one in left if one.name not in pinned), *(one for one in left if one.name in pinned)]:
        if total <= keep.size_bytes and len(files) - len(gone) <= MOST_FILES:
            break
        gone.append(one.name)
        total -= one.size_bytes
    return gone


def _pinned(files: Sequence[Stored], room: int) -> set[str]:
    """The newest files that hold a kill or lead to one, as far as the room goes."""
    found: set[str] = set()
    for place in range(len(files) - 1, -1, -1):
        leads = place + 1 < len(files) and files[place + 1].kills > 0
        if files[place].kills or leads:
            room -= files[place].size_bytes
            if room < 0:
                break
            found.add(files[place].name)
    return found
