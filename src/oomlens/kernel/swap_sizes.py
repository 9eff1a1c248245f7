"""How much swap a machine of a given RAM is given; RHEL's table ("Recommended system swap space"), as arithmetic."""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30
# zram-generator's default: `min(ram / 2, 4096)` MiB (zram-generator.conf(5)).
ZRAM_MOST_BYTES = 4096 * MIB


def swap_size(ram_bytes: int) -> int:
    """Swap for a machine, in bytes: twice the RAM up to 2 GiB, the RAM up to 8 GiB, then 4 GiB or a quarter (RHEL's table)."""
    if ram_bytes <= 2 * GIB:
        return round_up(2 * ram_bytes)
    if ram_bytes <= 8 * GIB:
        return round_up(ram_bytes)
    return round_up(min(max(4 * GIB, ram_bytes // 4), 16 * GIB))


def hibernation_size(ram_bytes: int) -> int | None:
    """Swap for a machine that hibernates, in bytes: 3, 2 or 1.5 times the RAM; None above 64 GiB, where RHEL advises against it."""
    if ram_bytes <= 2 * GIB:
        return round_up(3 * ram_bytes)
    if ram_bytes <= 8 * GIB:
        return round_up(2 * ram_bytes)
    if ram_bytes <= 64 * GIB:
        return round_up(ram_bytes * 3 // 2)
    return None


def zram_size(ram_bytes: int) -> int:
    """Disk size of a zram device, in bytes, whole MiB: half of the RAM, 4 GiB at most."""
    return max(min(ram_bytes // 2, ZRAM_MOST_BYTES) // MIB, 1) * MIB


def grain_of(size_bytes: int) -> int:
    """The step that a size is rounded to: 1 GiB above 4 GiB, 64 MiB, or 16 MiB below 512 MiB."""
    return GIB if size_bytes > 4 * GIB else 64 * MIB if size_bytes >= 512 * MIB else 16 * MIB


def round_up(size_bytes: int) -> int:
    """The next larger amount that a person would choose."""
    grain = grain_of(size_bytes)
    return -(-size_bytes // grain) * grain


def round_down(size_bytes: int) -> int:
    """The next smaller amount that a person would choose; 0 below 16 MiB."""
    grain = grain_of(size_bytes)
    return size_bytes // grain * grain
