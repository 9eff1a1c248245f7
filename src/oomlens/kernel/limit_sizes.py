"""The limit to try after a kill: a peak at a limit is a lower bound, for what was wanted beyond it is not known."""

from __future__ import annotations

from oomlens.kernel.swap_sizes import MIB, round_up

# A killed peak is censored: a quarter more, and never less than 100 MiB; half more where it was killed before.
FIRST_FACTOR, NEXT_FACTOR, LEAST_STEP_BYTES = 1.25, 1.5, 100 * MIB
# Raising it again and again feeds a leak.
MOST_STEPS = 3
# A peak that no limit cut off, with room for a bad day.
PEAK_FACTOR = 1.15


def raised_limit(limit_bytes: int, kills: int) -> int:
    """The limit to try next, in bytes: rounded up to 1 GiB above 4 GiB, 64 MiB, or 16 MiB below 512 MiB."""
    factor = NEXT_FACTOR if kills > 1 else FIRST_FACTOR
    return round_up(max(int(limit_bytes * factor), limit_bytes + LEAST_STEP_BYTES))


def limit_for_peak(peak_bytes: int) -> int:
    """A limit for what peaked there freely, in bytes; the same steps."""
    return round_up(int(peak_bytes * PEAK_FACTOR))
