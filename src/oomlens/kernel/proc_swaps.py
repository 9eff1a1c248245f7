"""/proc/swaps -> the swaps that are on; see proc(5) and mm/swapfile.c (swap_show)."""

from __future__ import annotations

import re

from oomlens.kernel.octal import decoded
from oomlens.model.snapshot import Swap

_LINE = re.compile(r"(\S.*?)\s+(\S+)\s+([0-9]{1,16})\s+([0-9]{1,16})\s+(-?[0-9]{1,6})\s*")


def swaps_of(content: str) -> tuple[Swap, ...]:
    r"""The lines below the heading; names with their blanks, which the kernel prints as `\040`. Other lines are left out."""
    found = (_LINE.fullmatch(line) for line in content.splitlines()[1:])
    return tuple(
        Swap(decoded(line[1]), line[2], int(line[3]) * 1024, int(line[4]) * 1024, int(line[5]))
        for line in found
        if line is not None
    )
