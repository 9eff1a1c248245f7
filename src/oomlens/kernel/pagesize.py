"""The page size that a report implies.

No kernel prints it, and a count of pages means nothing before it is known: x86 has 4 kB, arm64 and ppc64 also 64 kB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Powers of two from 4 kB (all architectures) to 64 kB (arm64, ppc64, mips, loongarch), and 256 kB (ppc44x, hexagon).
PAGE_SIZES = (4096, 8192, 16384, 32768, 65536, 262144)

# What `page_size_from` can answer as its second value.
BUDDY = "buddy-block"
VICTIM = "victim-total-vm"
NODES = "node-counters"
ARCHITECTURE = "architecture"
CONFLICT = "conflict"
NO_EVIDENCE = "no-evidence"

# Counters drift by some pages between two lines; sizes are a factor of two apart, so 5 % cannot mistake one.
_DRIFT = 0.05
# Below this many pages the drift of the per-CPU counters is too large a part.
_ENOUGH_PAGES = 256

# Architectures that have one page size only: x86, s390, 32-bit arm, riscv (arch/*/include/asm/page.h, arch/*/Kconfig).
# By the suffix that distributions give to the release, by registers and entry symbols that no other architecture has.
_FOUR_KB = re.compile(
    r"""(?<![A-Za-z0-9])(?:x86_64|amd64|i[3-6]86|686(?:-pae)?|s390x?|armv[4-7]\w*|armhf|armmp|riscv(?:64|32)?)(?![A-Za-z0-9])
    |(?<![A-Za-z])(?:RIP|EIP):\ |(?<![A-Za-z])[ER]SP:\ |ORIG_[RE]AX:|\b(?:entry|do)_(?:SYSCALL|syscall)_64(?![0-9])
    |\bKrnl\ (?:PSW|GPRS)\b|\bunwind_backtrace\b""",
    re.VERBOSE,
)


def page_size_from(
    *,
    buddy_first_block_kb: Iterable[int] = (),
    victim_total_vm_kb: int | None = None,
    victim_total_vm_pages: int | None = None,
    node_kb_and_pages: Iterable[tuple[int, int]] = (),
    texts: Iterable[str] = (),
) -> tuple[int | None, str]:
    """Says the page size in bytes and how it is known, one of the words above.

    The size is None where nothing tells it or where evidence conflicts.
    buddy_first_block_kb: first block size of each buddy line: `1*4kB …` lists the orders from 0, which is one page.
    victim_total_vm_kb, victim_total_vm_pages: the same process in its `Killed process` line and in the task table.
    node_kb_and_pages: per counter the sum over all `Node` lines in kB, and the global counter in pages.
    texts: release, hardware, registers or trace; asked last, and only for architectures with a single page size.
    """
    measured = (
        (BUDDY, _one({_exact(kb) for kb in buddy_first_block_kb})),
        (VICTIM, _one({_near(victim_total_vm_kb, victim_total_vm_pages)})),
        (NODES, _one({_near(kb, pages) for kb, pages in node_kb_and_pages if pages >= _ENOUGH_PAGES})),
    )
    told = [(how, size) for how, size in measured if size is not None]
    if not told:
        return (4096, ARCHITECTURE) if any(_FOUR_KB.search(text) for text in texts) else (None, NO_EVIDENCE)
    if len({size for _, size in told}) > 1:
        return None, CONFLICT
    how, size = told[0]
    return size, how


def _one(sizes: set[int | None]) -> int | None:
    """The single size of one kind of evidence; what disagrees with itself (filtered nodes, damage) tells nothing."""
    return sizes.pop() if len(sizes) == 1 else None


def _exact(kb: int) -> int | None:
    return kb * 1024 if kb * 1024 in PAGE_SIZES else None


def _near(kb: int | None, pages: int | None) -> int | None:
    """The page size that makes `pages` of `kb`, allowing for counters that moved in between."""
    if kb is None or pages is None or pages <= 0:
        return None
    for size in PAGE_SIZES:
        if abs(kb * 1024 / (pages * size) - 1) <= _DRIFT:
            return size
    return None
