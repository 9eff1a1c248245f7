"""How large a JVM's heap may grow: its own rule, from flags and the memory that it sees.

HotSpot: `Arguments::set_heap_size` of src/hotspot/share/runtime/arguments.cpp; measured alike on JDK 8, 17, 21 and 25.
OpenJ9: its documentation of -Xmx and -XX:[+|-]UseContainerSupport.
"""

from __future__ import annotations

from typing import NamedTuple

from oomlens.runtimes.jvm_flags import Flags

MIB = 1 << 20
GIB = 1 << 30
# MaxHeapSize by default: 96 MiB, scaled by 1.3 for 64 bits, whole words.
DEFAULT_HEAP_BYTES = 96 * MIB * 13 // 10 // 8 * 8
DEFAULT_MAX_PERCENTAGE, DEFAULT_MIN_PERCENTAGE = 25.0, 50.0
_GRAIN_BYTES = 2 * MIB  # of card tables: 512 pages of 4 KiB
_MAX_RAM_BYTES = 128 * GIB  # MaxRAM by default, x86-64 and arm64
_COMPRESSED_OOPS_BYTES = 32 * GIB
_FRACTIONS = {"MaxRAMPercentage": "MaxRAMFraction", "MinRAMPercentage": "MinRAMFraction"}


class Heap(NamedTuple):
    """max_bytes: what the heap may grow to. because: the flag or the part of the rule that decides:
    MaxHeapSize, MaxRAMPercentage, MinRAMPercentage, least, InitialHeapSize, ErgoHeapSizeLimit.
    ram_bytes: the memory that the rule started from.
    """

    max_bytes: int
    because: str
    ram_bytes: int


def aligned(size_bytes: int) -> int:
    """As the JVM rounds a heap: up to 2 MiB."""
    return -(-size_bytes // _GRAIN_BYTES) * _GRAIN_BYTES


def aligned_down(size_bytes: int) -> int:
    """The largest heap that the JVM leaves as it is, at least 2 MiB."""
    return max(size_bytes // _GRAIN_BYTES, 1) * _GRAIN_BYTES


def percentage(flags: Flags, name: str, default: float) -> float:
    """A percentage, or the fraction that older flags give; the percentage wins where both are given."""
    given = flags.number(name)
    if given is not None:
        return given
    fraction = flags.number(_FRACTIONS[name])
    return 100.0 / fraction if fraction else default


def hotspot_heap(seen_bytes: int, flags: Flags) -> Heap:
    """seen_bytes: the memory that the JVM sees: the host's RAM or the limit of its cgroup, whichever is less."""
    asked = flags.size("MaxHeapSize")
    ram_flag = flags.size("MaxRAM")
    own_rule = any(flags.get(name) for pair in _FRACTIONS.items() for name in pair)
    # MaxRAM takes the place of what the JVM sees, even where that is less (measured).
    ram = ram_flag if ram_flag is not None else seen_bytes if own_rule else min(seen_bytes, _MAX_RAM_BYTES)
    if asked:
        return Heap(aligned(asked), "MaxHeapSize", ram)
    least = int(ram * percentage(flags, "MinRAMPercentage", DEFAULT_MIN_PERCENTAGE) / 100)
    most = int(ram * percentage(flags, "MaxRAMPercentage", DEFAULT_MAX_PERCENTAGE) / 100)
    if least < DEFAULT_HEAP_BYTES:
        size, because = least, "MinRAMPercentage"
    elif most < DEFAULT_HEAP_BYTES:
        size, because = DEFAULT_HEAP_BYTES, "least"
    else:
        size, because = most, "MaxRAMPercentage"
    cap = flags.size("ErgoHeapSizeLimit")
    if cap and cap < size:
        size, because = cap, "ErgoHeapSizeLimit"
    if not own_rule and ram_flag is None:
        size = min(size, _COMPRESSED_OOPS_BYTES)
    start = flags.size("InitialHeapSize")
    if start is not None and start > size:
        size, because = start, "InitialHeapSize"
    return Heap(aligned(size), because, ram)


def openj9_heap(seen_bytes: int, flags: Flags) -> Heap:
    """OpenJ9 in a container with a limit; without -Xmx and percentages."""
    asked = flags.size("MaxHeapSize")
    if asked:
        return Heap(asked, "MaxHeapSize", seen_bytes)
    most = flags.number("MaxRAMPercentage")
    if most is not None:
        return Heap(int(seen_bytes * most / 100), "MaxRAMPercentage", seen_bytes)
    if seen_bytes < GIB:
        size = seen_bytes // 2
    elif seen_bytes <= 2 * GIB:
        size = seen_bytes - 512 * MIB
    else:
        size = min(seen_bytes * 3 // 4, 25 * GIB)
    return Heap(size, "least", seen_bytes)
