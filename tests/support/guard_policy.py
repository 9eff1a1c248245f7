"""Scopes, samples and candidates for the guard's tests: round numbers, so that each comparison can be done by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oomlens.policy.candidate import Candidate
from oomlens.policy.choose import Choice, choose
from oomlens.policy.sample import Sample
from oomlens.policy.settings import Scope
from oomlens.policy.state import State
from oomlens.policy.step import Decision, step

TOTAL_KB = 1_000_000

# The preset "server" without the bounds in kB: of 1,000,000 kB it warns at 200,000, asks at 100,000, kills at 50,000.
ROW: Mapping[str, Any] = {
    "name": "machine", "cgroup": "", "ranking": "growth", "object": "auto", "roads": ["exhaustion", "thrash", "harm"],
    "warn": [0.20, None, None], "term": [0.10, None, None], "kill": [0.05, None, None], "swap_term": 0.10, "swap_kill": 0.05,
    "warn_seconds": 30.0, "react_seconds": 0.2,
    "thrash_low": [0.15, None, None], "thrash_refaults": 10.0, "thrash_stall": 0.5, "thrash_seconds": 5.0,
    "harm_low": [0.25, None, None], "harm_cgroups": ["/system.slice/*"], "harm_stall": 0.10, "harm_seconds": 5.0,
    "grace_seconds": 2.0, "cool_seconds": 5.0, "stuck_seconds": 10.0, "steps": [],
}  # fmt: skip


def scope(**changes: Any) -> Scope:
    """The preset's, with changes."""
    return Scope({**ROW, **changes})


def sample(seconds: float, available_kb: int, **more: Any) -> Sample:
    """One look at a machine of TOTAL_KB without swap."""
    return Sample(seconds, more.pop("total_kb", TOTAL_KB), available_kb, **more)


def busy(seconds: float, available_kb: int, *, spent: float, **changes: Any) -> Sample:
    """A look at a machine that has thrashed and harmed for `spent` seconds: 100 pages back, 200 faults, 0.9 s of stall each second."""
    counters: dict[str, Any] = {
        "file_refaults": int(100 * spent),
        "swapped_in_pages": 0,
        "major_faults": int(200 * spent),
        "memory_stall_us": int(200_000 * spent),
        "io_stall_us": int(900_000 * spent),
        "harm_stall_us": {"/system.slice/web.service": int(400_000 * spent)},
    }
    return sample(seconds, available_kb, **{**counters, **changes})


class Run:
    """Steps on one state, with all that was decided."""

    def __init__(self, watched: Scope | None = None, state: State | None = None) -> None:
        self.scope = watched or scope()
        self.state = state or State()
        self.decisions: list[Decision] = []

    def look(self, seen: Sample, *, alive: bool | None = None) -> list[str]:
        """One step; the kinds of what it decided."""
        self.state, decided = step(self.scope, self.state, seen, alive=alive)
        self.decisions += decided
        return [decision.kind for decision in decided]

    @property
    def last(self) -> Decision:
        """The latest decision."""
        return self.decisions[-1]


def candidate(pid: int, rss_kb: int = 1000, **more: Any) -> Candidate:
    """A process."""
    each = Candidate(pid, more.pop("oom_score", 1))
    each.rss_kb = rss_kb
    each.comm = "p"
    for name, value in more.items():
        setattr(each, name, value)
    return each


def chosen(candidates: Sequence[Candidate], *, road: str = "exhaustion", **more: Any) -> Choice:
    """The choice among them on a machine of TOTAL_KB."""
    rules = {name: more.pop(name, ()) for name in ("weights", "exempt")}
    others = {name: more.pop(name) for name in ("limit_cgroup", "stuck", "own_pid") if name in more}
    return choose(scope(**more), candidates, TOTAL_KB, road=road, **rules, **{"own_pid": 9, **others})
