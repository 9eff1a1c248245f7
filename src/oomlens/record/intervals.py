"""When to take the next sample: quicker as memory gets short, never dearer than a share of one core. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oomlens.model.history import CgroupPeek, Peek, Sample

# A peek that shows one of these asks for a sample.
STALLED_SHARE = 0.10  # of the time since the peek before, in which tasks stood still
LOW_SHARE = 0.10  # of the RAM, available and free swap together
LOW_BYTES = 8 << 30  # … or this, on large machines
SOON_SECONDS = 60.0  # until it is full, at the rate of the last peeks
# Rates are taken over about so long: one large allocation is no trend.
_WINDOW_SECONDS = 5.0
_MOST_WATCHED = 16
# A turn of the loop that comes a moment early need not wait for the next one.
_EARLY_SHARE = 0.1


class Rhythm(NamedTuple):
    """What the recorder is allowed.

    rest_seconds: between samples while there is enough memory. quick_seconds: while there is not.
    share: of one core, over time. credit_seconds: CPU time that may be saved up at rest and spent under pressure;
    as much may then be borrowed, and is paid back at rest.
    """

    rest_seconds: float = 10.0
    quick_seconds: float = 1.0
    share: float = 0.01
    credit_seconds: float = 3.0

    @property
    def peek_seconds(self) -> float:
        """Between peeks."""
        return min(1.0, self.quick_seconds, self.rest_seconds)


class Watched(NamedTuple):
    """A cgroup with a limit at the last sample. held_bytes: what reclaim cannot drop; current_bytes: all that it used."""

    limit_bytes: int
    held_bytes: int
    current_bytes: int


class Pace(NamedTuple):
    """What is remembered between decisions.

    sampled_at: monotonic time of the last sample. credit_seconds: CPU time in hand, below 0 where too much was spent.
    peeks: of the last seconds, oldest first. watched: by cgroup path.
    """

    credit_seconds: float = 3.0
    sampled_at: float | None = None
    peeks: tuple[Peek, ...] = ()
    watched: Mapping[str, Watched] = {}


def watched_of(sample: Sample) -> dict[str, Watched]:
    """The cgroups whose usage is worth a look between samples: those nearest to their limits."""
    found: list[tuple[float, str, Watched]] = []
    for row in sample.cgroups:
        held = row.held_bytes
        if row.max_bytes and held is not None and row.current_bytes is not None:
            found.append((held / row.max_bytes, row.path, Watched(row.max_bytes, held, row.current_bytes)))
    found.sort(reverse=True)
    return {path: watched for _, path, watched in found[:_MOST_WATCHED]}


def decide(rhythm: Rhythm, pace: Pace, peek: Peek) -> tuple[Pace, str | None]:
    """Why a sample is due now, or None; and what is to be remembered.

    "first", "rest", or what is wrong: "stalled", "low", "falling", "cgroup".
    """
    now = peek.monotonic_seconds
    earned = rhythm.share * (now - pace.peeks[-1].monotonic_seconds) if pace.peeks else 0.0
    seen = Pace(
        min(pace.credit_seconds + max(earned, 0.0), rhythm.credit_seconds),
        pace.sampled_at,
        (*(one for one in pace.peeks if now - one.monotonic_seconds <= _WINDOW_SECONDS), peek),
        pace.watched,
    )
    if seen.sampled_at is None:
        return seen, "first"
    elapsed = now - seen.sampled_at
    early = _EARLY_SHARE * rhythm.peek_seconds
    if elapsed < rhythm.quick_seconds - early or seen.credit_seconds <= -rhythm.credit_seconds:
        return seen, None
    why = urgency(seen)
    if why is None and elapsed >= rhythm.rest_seconds - early and seen.credit_seconds > 0:
        why = "rest"
    return seen, why


def sampled(pace: Pace, sample: Sample, monotonic_seconds: float) -> Pace:
    """After a sample was taken."""
    return pace._replace(sampled_at=monotonic_seconds, watched=watched_of(sample))


def spent(pace: Pace, cpu_seconds: float) -> Pace:
    """After CPU time was used for whatever reason."""
    return pace._replace(credit_seconds=pace.credit_seconds - cpu_seconds)


def urgency(pace: Pace) -> str | None:
    """Whether memory is short or soon will be: "stalled", "low", "falling", "cgroup", or None."""
    if not pace.peeks:
        return None
    first, now = pace.peeks[0], pace.peeks[-1]
    before = pace.peeks[-2] if len(pace.peeks) > 1 else now
    if _stalled(before, now):
        return "stalled"
    left = _left(now)
    if left is not None and now.total_bytes is not None and left < min(LOW_SHARE * now.total_bytes, LOW_BYTES):
        return "low"
    seconds = now.monotonic_seconds - first.monotonic_seconds
    earlier = _left(first)
    if left is not None and earlier is not None and _soon(left, earlier - left, seconds):
        return "falling"
    filling = (
        _fills(watched, first.cgroups.get(path), now.cgroups.get(path), seconds)
        for path, watched in pace.watched.items()
    )
    return "cgroup" if any(filling) else None


def _stalled(before: Peek, now: Peek) -> bool:
    seconds = now.monotonic_seconds - before.monotonic_seconds
    if now.some_stalled_seconds is None or before.some_stalled_seconds is None or seconds <= 0:
        return False
    return (now.some_stalled_seconds - before.some_stalled_seconds) / seconds >= STALLED_SHARE


def _left(peek: Peek) -> int | None:
    return None if peek.available_bytes is None else peek.available_bytes + (peek.swap_free_bytes or 0)


def _soon(left: int, lost: int, seconds: float) -> bool:
    return lost > 0 and seconds > 0 and left / (lost / seconds) < SOON_SECONDS


def _fills(watched: Watched, first: CgroupPeek | None, now: CgroupPeek | None, seconds: float) -> bool:
    if first is None or now is None or first.current_bytes is None or now.current_bytes is None:
        return False
    held = watched.held_bytes + max(0, now.current_bytes - watched.current_bytes)
    return _soon(max(0, watched.limit_bytes - held), now.current_bytes - first.current_bytes, seconds)
