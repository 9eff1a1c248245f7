"""What a scope showed at one instant. Unknown is None, never 0."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Sample:
    """One look. Sizes in kB, counters since boot in what the kernel counts (pages, faults, µs); `seconds` is CLOCK_MONOTONIC.

    Swap is counted by what it can still save: zram's free room less what storing there costs.
    """

    __slots__ = (
        "available_kb", "file_refaults", "harm_stall_us", "io_stall_us", "major_faults", "memory_stall_us", "seconds", "swap_free_kb",
        "swap_total_kb", "swapped_in_pages", "total_kb",
    )  # fmt: skip

    def __init__(
        self,
        seconds: float,
        total_kb: int,
        available_kb: int,
        swap_total_kb: int = 0,
        swap_free_kb: int = 0,
        *,
        file_refaults: int | None = None,
        major_faults: int | None = None,
        swapped_in_pages: int | None = None,
        memory_stall_us: int | None = None,
        io_stall_us: int | None = None,
        harm_stall_us: Mapping[str, int] | None = None,
    ) -> None:
        self.seconds = seconds
        self.total_kb = total_kb
        self.available_kb = available_kb
        self.swap_total_kb = swap_total_kb
        self.swap_free_kb = swap_free_kb
        self.file_refaults = file_refaults
        self.major_faults = major_faults
        self.swapped_in_pages = swapped_in_pages
        self.memory_stall_us = memory_stall_us
        self.io_stall_us = io_stall_us
        self.harm_stall_us = harm_stall_us


def as_dict(sample: Sample) -> dict[str, Any]:
    """For the log; read back by `from_dict`."""
    return {name: getattr(sample, name) for name in Sample.__slots__}


def from_dict(row: Mapping[str, Any]) -> Sample:
    """Raises KeyError or TypeError where it is not what `as_dict` gave."""
    rest = {
        name: row[name]
        for name in Sample.__slots__[1:]
        if name not in ("seconds", "total_kb", "swap_total_kb", "swap_free_kb")
    }
    return Sample(
        row["seconds"], row["total_kb"], row["available_kb"], row["swap_total_kb"], row["swap_free_kb"], **rest
    )


def rate(now: int | None, then: int | None, seconds: float) -> float | None:
    """A counter's growth per second; unknown where either is, or where it went back (a new boot, a cgroup made anew)."""
    if now is None or then is None or seconds <= 0 or now < then:
        return None
    return (now - then) / seconds
