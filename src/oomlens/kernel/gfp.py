"""GFP masks: the names of their bits, and what they say about the allocation that failed.

Kernels print the names themselves from 4.6; older logs have only the number.
The bits moved again and again, so a number without names is read by the kernel release.
Without one it is read only where a single epoch makes sense of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class GfpEpoch:
    """The bit layout of the kernels from `first` up to, not including, `end`.

    Source: include/linux/gfp.h, from 6.0 gfp_types.h.
    """

    name: str
    first: tuple[int, int]
    end: tuple[int, int] | None
    bits: Mapping[str, int]

    @property
    def known_bits(self) -> int:
        """All bits that have a name in this epoch, as one mask."""
        known = 0
        for bit in self.bits.values():
            known |= bit
        return known


_ZONE_BITS = {"__GFP_DMA": 0x1, "__GFP_HIGHMEM": 0x2, "__GFP_DMA32": 0x4, "__GFP_MOVABLE": 0x8}
_IO_BITS = {"__GFP_HIGH": 0x20, "__GFP_IO": 0x40, "__GFP_FS": 0x80}
# The same from 2.6.32 to 5.0.
_OLD_BITS = {
    **_ZONE_BITS,
    **_IO_BITS,
    "__GFP_NOWARN": 0x200,
    "__GFP_NOFAIL": 0x800,
    "__GFP_NORETRY": 0x1000,
    "__GFP_MEMALLOC": 0x2000,  # 3.6, commit b37f1dd0f543
    "__GFP_COMP": 0x4000,
    "__GFP_ZERO": 0x8000,
    "__GFP_NOMEMALLOC": 0x10000,
    "__GFP_HARDWALL": 0x20000,
    "__GFP_THISNODE": 0x40000,
}

# In the order in which the kernel tries them: include/trace/events/mmflags.h (4.6 on), gfpflags.h (before).
# Those without direct reclaim (GFP_ATOMIC, GFP_NOWAIT) never come to an OOM report.
_COMPOSITES = (
    "GFP_HIGHUSER_MOVABLE",
    "GFP_HIGHUSER",
    "GFP_USER",
    "GFP_KERNEL_ACCOUNT",
    "GFP_KERNEL",
    "GFP_NOFS",
    "GFP_NOIO",
)

EPOCHS: tuple[GfpEpoch, ...] = (
    # 2.6.32 to 4.3; RHEL 6 (2.6.32) and RHEL 7 (3.10) keep this layout.
    GfpEpoch(
        "2.6.32-4.3",
        (2, 6),
        (4, 4),
        MappingProxyType(
            {
                **_OLD_BITS,
                "__GFP_WAIT": 0x10,
                "__GFP_COLD": 0x100,
                "__GFP_REPEAT": 0x400,
                "__GFP_RECLAIMABLE": 0x80000,
                "__GFP_KMEMCG": 0x100000,  # in 3.10; gone in 4.4
                "__GFP_NOTRACK": 0x200000,
                "__GFP_NO_KSWAPD": 0x400000,  # from 2.6.38
                "__GFP_OTHER_NODE": 0x800000,
                "__GFP_WRITE": 0x1000000,  # 3.3, commit a756cf590853
            }
        ),
    ),
    # 4.4 to 4.10: commit d0164adc89f6 splits __GFP_WAIT in two and moves __GFP_RECLAIMABLE.
    GfpEpoch(
        "4.4-4.10",
        (4, 4),
        (4, 11),
        MappingProxyType(
            {
                **_OLD_BITS,
                "__GFP_RECLAIMABLE": 0x10,
                "__GFP_COLD": 0x100,
                "__GFP_REPEAT": 0x400,
                "__GFP_ATOMIC": 0x80000,
                "__GFP_ACCOUNT": 0x100000,  # 4.5, commit a9bb7e620efd; 4.4 used the bit for __GFP_NOACCOUNT
                "__GFP_NOTRACK": 0x200000,
                "__GFP_DIRECT_RECLAIM": 0x400000,
                "__GFP_OTHER_NODE": 0x800000,
                "__GFP_WRITE": 0x1000000,
                "__GFP_KSWAPD_RECLAIM": 0x2000000,
            }
        ),
    ),
    # 4.11 to 4.15: commit 41b6167e8f74 drops __GFP_OTHER_NODE and closes the hole.
    GfpEpoch(
        "4.11-4.15",
        (4, 11),
        (4, 16),
        MappingProxyType(
            {
                **_OLD_BITS,
                "__GFP_RECLAIMABLE": 0x10,
                "__GFP_COLD": 0x100,
                "__GFP_RETRY_MAYFAIL": 0x400,  # __GFP_REPEAT until 4.12, commit dcda9b04713c
                "__GFP_ATOMIC": 0x80000,
                "__GFP_ACCOUNT": 0x100000,
                "__GFP_NOTRACK": 0x200000,
                "__GFP_DIRECT_RECLAIM": 0x400000,
                "__GFP_WRITE": 0x800000,
                "__GFP_KSWAPD_RECLAIM": 0x1000000,
            }
        ),
    ),
    # 4.16 to 5.0 and RHEL 8 (4.18): __GFP_COLD and __GFP_NOTRACK are gone, other flags take their places.
    GfpEpoch(
        "4.16-5.0",
        (4, 16),
        (5, 1),
        MappingProxyType(
            {
                **_OLD_BITS,
                "__GFP_RECLAIMABLE": 0x10,
                "__GFP_WRITE": 0x100,
                "__GFP_RETRY_MAYFAIL": 0x400,
                "__GFP_ATOMIC": 0x80000,
                "__GFP_ACCOUNT": 0x100000,
                "__GFP_DIRECT_RECLAIM": 0x200000,
                "__GFP_KSWAPD_RECLAIM": 0x400000,
            }
        ),
    ),
    # 5.1 on: renumbered once more; bits from 0x1000000 up depend on the configuration and stay numbers.
    GfpEpoch(
        "5.1-",
        (5, 1),
        None,
        MappingProxyType(
            {
                **_ZONE_BITS,
                **_IO_BITS,
                "__GFP_RECLAIMABLE": 0x10,
                "__GFP_ZERO": 0x100,
                "__GFP_ATOMIC": 0x200,  # until 6.2, commit 2973d8229b78
                "__GFP_DIRECT_RECLAIM": 0x400,
                "__GFP_KSWAPD_RECLAIM": 0x800,
                "__GFP_WRITE": 0x1000,
                "__GFP_NOWARN": 0x2000,
                "__GFP_RETRY_MAYFAIL": 0x4000,
                "__GFP_NOFAIL": 0x8000,
                "__GFP_NORETRY": 0x10000,
                "__GFP_MEMALLOC": 0x20000,
                "__GFP_COMP": 0x40000,
                "__GFP_NOMEMALLOC": 0x80000,
                "__GFP_HARDWALL": 0x100000,
                "__GFP_THISNODE": 0x200000,
                "__GFP_ACCOUNT": 0x400000,
                "__GFP_ZEROTAGS": 0x800000,  # 5.15
            }
        ),
    ),
)

_RECLAIM = frozenset({"__GFP_DIRECT_RECLAIM", "__GFP_KSWAPD_RECLAIM"})
_KERNEL = _RECLAIM | {"__GFP_IO", "__GFP_FS"}
_USER = _KERNEL | {"__GFP_HARDWALL"}
_HIGHUSER_MOVABLE = _USER | {"__GFP_HIGHMEM", "__GFP_MOVABLE"}
_TRANSHUGE_LIGHT = (_HIGHUSER_MOVABLE - _RECLAIM) | {"__GFP_COMP", "__GFP_NOMEMALLOC", "__GFP_NOWARN"}

# include/linux/gfp.h of 4.4 to 5.19, gfp_types.h from 6.0; the epochs differ in bits, not in what the names stand for.
COMPOSITES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "GFP_ATOMIC": frozenset({"__GFP_HIGH", "__GFP_KSWAPD_RECLAIM"}),
        "GFP_DMA": frozenset({"__GFP_DMA"}),
        "GFP_DMA32": frozenset({"__GFP_DMA32"}),
        "GFP_HIGHUSER": _USER | {"__GFP_HIGHMEM"},
        "GFP_HIGHUSER_MOVABLE": _HIGHUSER_MOVABLE,
        "GFP_KERNEL": _KERNEL,
        "GFP_KERNEL_ACCOUNT": _KERNEL | {"__GFP_ACCOUNT"},
        "GFP_NOFS": _RECLAIM | {"__GFP_IO"},
        "GFP_NOIO": _RECLAIM,
        "GFP_NOWAIT": frozenset({"__GFP_KSWAPD_RECLAIM"}),
        "GFP_TEMPORARY": _KERNEL | {"__GFP_RECLAIMABLE"},  # until 4.13
        "GFP_TRANSHUGE": _TRANSHUGE_LIGHT | {"__GFP_DIRECT_RECLAIM"},
        "GFP_TRANSHUGE_LIGHT": _TRANSHUGE_LIGHT,
        "GFP_USER": _USER,
        "__GFP_RECLAIM": _RECLAIM,
        "__GFP_WAIT": _RECLAIM,  # until 4.3: both in one bit
    }
)

# Zones from the lowest to the highest, as the kernel names them in its zone lines.
ZONES = ("DMA", "DMA32", "Normal", "HighMem", "Movable")

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+")
_RELEASE = re.compile(r"(\d{1,3})\.(\d{1,3})(?!\d)")


def decode_gfp(mask: int, printed: str | None, release: str | None) -> tuple[str, ...] | None:
    """Names the flags of a GFP mask, composites first, as the kernel writes them.

    mask: as printed in front of the names. printed: the text between the brackets, None where the log has none.
    release: the kernel's release, which decides the bit layout where no names were printed.
    Vendor kernels keep the layout of the version that they carry in front: el6 2.6.32, el7 3.10, el8 4.18.
    A rest of bits without a name follows as one hexadecimal number.
    None: no names, no release, and the mask makes sense in no epoch or in several.
    """
    if printed is not None:
        names = tuple(name for name in "".join(printed.split()).split("|") if name)
        if names or mask == 0:
            return names
    if mask == 0:
        return ()
    if mask < 0:
        return None
    epoch = epoch_of_release(release)
    if epoch is None:
        epochs = tuple(each for each in EPOCHS if _makes_sense(mask, each))
        if len(epochs) != 1:
            return None
        (epoch,) = epochs
    return _names(mask, epoch)


def epoch_of_release(release: str | None) -> GfpEpoch | None:
    """The bit layout that a kernel release uses; None for no release or one that is no Linux version."""
    found = _RELEASE.match(release or "")
    if found is None:
        return None
    version = (int(found[1]), int(found[2]))
    for epoch in EPOCHS:
        if epoch.first <= version and (epoch.end is None or version < epoch.end):
            return epoch
    return None


def expand(flags: Iterable[str]) -> frozenset[str]:
    """Replaces composite names by their single flags; unknown names and numbers stay as they are.

    `__GFP_WAIT` of the kernels up to 4.3 becomes the two flags that replaced it (commit d0164adc89f6).
    """
    single: set[str] = set()
    for flag in flags:
        single |= COMPOSITES.get(flag, {flag})
    return frozenset(single)


def can_direct_reclaim(flags: Iterable[str]) -> bool:
    """Says whether the allocation could wait for memory; without it the OOM killer is never asked (mm/page_alloc.c)."""
    return "__GFP_DIRECT_RECLAIM" in expand(flags)


def is_movable(flags: Iterable[str]) -> bool:
    """Says whether the page could be moved later, and so taken from movable and CMA memory."""
    return "__GFP_MOVABLE" in expand(flags)


def is_user_page(flags: Iterable[str]) -> bool:
    """Says whether the page was for a process's memory or the page cache rather than for the kernel's own use.

    The mark is `__GFP_HARDWALL` (the cpuset of the user decides) without `__GFP_ACCOUNT`.
    That flag is for kernel memory charged to the user, such as pipe buffers.
    False proves nothing in a memcg report: the charge of a user page shows as plain `GFP_KERNEL` there.
    """
    single = expand(flags)
    return "__GFP_HARDWALL" in single and "__GFP_ACCOUNT" not in single


def highest_zone(flags: Iterable[str]) -> str | None:
    """The highest zone that the request may use, of `ZONES`; the kernel's `gfp_zone()`.

    On a machine without that zone (HighMem on 64 bits, Movable without hotplug) the next lower one that exists counts.
    None: a combination that the kernel forbids (GFP_ZONE_BAD).
    """
    single = expand(flags)
    asked = frozenset({"__GFP_DMA", "__GFP_DMA32", "__GFP_HIGHMEM"} & single)
    if len(asked) > 1:
        return None
    if "__GFP_DMA" in asked:
        return "DMA"
    if "__GFP_DMA32" in asked:
        return "DMA32"
    if "__GFP_HIGHMEM" in asked:
        return "Movable" if "__GFP_MOVABLE" in single else "HighMem"
    return "Normal"


def usable_zones(flags: Iterable[str]) -> tuple[str, ...] | None:
    """All zones that the request may use, lowest first; None where `highest_zone` is."""
    highest = highest_zone(flags)
    return None if highest is None else ZONES[: ZONES.index(highest) + 1]


def _names(mask: int, epoch: GfpEpoch) -> tuple[str, ...]:
    names: list[str] = []
    rest = mask
    for name in _COMPOSITES:
        bits = _bits_of(name, epoch)
        if bits and rest & bits == bits:
            names.append(name)
            rest &= ~bits
    for name, bit in sorted(epoch.bits.items(), key=lambda item: item[1]):
        if rest & bit:
            names.append(name)
            rest &= ~bit
    if rest:
        names.append(f"{rest:#x}")
    return tuple(names)


def _bits_of(composite: str, epoch: GfpEpoch) -> int:
    """A composite's bits in an epoch; 0 where the epoch has not all of them."""
    bits = 0
    for flag in COMPOSITES[composite]:
        if flag in _RECLAIM and "__GFP_WAIT" in epoch.bits:
            bits |= epoch.bits["__GFP_WAIT"]
        elif flag in epoch.bits:
            bits |= epoch.bits[flag]
        else:
            return 0
    return bits


def _makes_sense(mask: int, epoch: GfpEpoch) -> bool:
    """Says whether a mask seen in an OOM report could be of this epoch.

    Such a request may always wait (or the OOM killer is not asked) and so wakes kswapd.
    It has only named bits, at most one zone modifier, and at most one retry modifier, for these exclude each other.
    """
    if mask & ~epoch.known_bits:
        return False
    names = frozenset(name for name, bit in epoch.bits.items() if mask & bit)
    if "__GFP_WAIT" not in names and not names >= _RECLAIM:
        return False
    retry = names & {"__GFP_REPEAT", "__GFP_RETRY_MAYFAIL", "__GFP_NOFAIL", "__GFP_NORETRY"}
    # FS without IO does not exist: the flags nest (NOIO, NOFS, KERNEL).
    return len(retry) <= 1 and highest_zone(names) is not None and not ("__GFP_FS" in names and "__GFP_IO" not in names)
