"""What the guard remembers of a scope between two looks."""

from __future__ import annotations

from oomlens.policy.sample import Sample, as_dict, from_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

WATCH = "watch"
TERM = "term"  # SIGTERM was sent, the grace runs
KILL = "kill"  # SIGKILL was sent, it is not gone yet
SETTLE = "settle"  # gone; its memory is still coming back
_NUMBERS = (
    "before_kb", "best_kb", "best_seconds", "fall_kb_per_second", "falling_since", "fill_kb_per_second", "grace_used", "harm_since",
    "harmed", "last_fall_kb_per_second", "phase", "phase_seconds", "road", "thrash_since", "warned",
)  # fmt: skip


class State:
    """Changed by `step` alone, which gives a new one.

    fill_kb_per_second: how fast memory goes, smoothed over seconds; fall_kb_per_second: in the last two intervals, the slower one.
    falling_since, thrash_since, harm_since: since when that has held without a break, or None; harmed: the cgroup that suffers.
    before_kb: available when it acted. best_kb, best_seconds: the most since the victim was gone, and when. grace_used: seconds, pressure counted.
    """

    __slots__ = (*_NUMBERS, "sample")

    def __init__(self) -> None:
        self.sample: Sample | None = None
        self.fill_kb_per_second = 0.0
        self.fall_kb_per_second = 0.0
        self.last_fall_kb_per_second = 0.0
        self.falling_since: float | None = None
        self.thrash_since: float | None = None
        self.harm_since: float | None = None
        self.harmed: str | None = None
        self.warned = False
        self.phase = WATCH
        self.phase_seconds = 0.0
        self.grace_used = 0.0
        self.road: str | None = None
        self.before_kb = 0
        self.best_kb = 0
        self.best_seconds = 0.0


def copy(state: State) -> State:
    """The same, to be changed. Written out: it is done at every look."""
    other = State()
    other.sample = state.sample
    other.fill_kb_per_second = state.fill_kb_per_second
    other.fall_kb_per_second = state.fall_kb_per_second
    other.last_fall_kb_per_second = state.last_fall_kb_per_second
    other.falling_since = state.falling_since
    other.thrash_since = state.thrash_since
    other.harm_since = state.harm_since
    other.harmed = state.harmed
    other.warned = state.warned
    other.phase = state.phase
    other.phase_seconds = state.phase_seconds
    other.grace_used = state.grace_used
    other.road = state.road
    other.before_kb = state.before_kb
    other.best_kb = state.best_kb
    other.best_seconds = state.best_seconds
    return other


def state_as_dict(state: State) -> dict[str, Any]:
    """For the log; read back by `state_from_dict`."""
    row: dict[str, Any] = {name: getattr(state, name) for name in _NUMBERS}
    row["sample"] = None if state.sample is None else as_dict(state.sample)
    return row


def state_from_dict(row: Mapping[str, Any]) -> State:
    """Raises KeyError or TypeError where it is not what `state_as_dict` gave."""
    state = State()
    for name in _NUMBERS:
        setattr(state, name, row[name])
    state.sample = None if row["sample"] is None else from_dict(row["sample"])
    return state
