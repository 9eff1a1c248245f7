"""A process that could be chosen."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Candidate:
    """Sizes in kB; unknown is None. `exe` is known of what runs in the guard's own pid namespace.

    `cgroup` is a path below the hierarchy. `preference`: systemd's ManagedOOMPreference, "avoid", "omit" or "".

    together: the nearest cgroup above it whose memory.oom.group is 1. growth_kb_per_second: since the guard began to look closely.
    scanned_pages_per_second: of its cgroup, by reclaim. points and terms are the ranking's.
    """

    __slots__ = (
        "cgroup", "cmdline", "comm", "exe", "growth_kb_per_second", "labels", "oom_score", "oom_score_adj", "pid", "points",
        "preference", "rss_kb", "scanned_pages_per_second", "start_ticks", "swap_kb", "terms", "together", "uid",
    )  # fmt: skip

    def __init__(self, pid: int, oom_score: int) -> None:
        self.pid = pid
        self.oom_score = oom_score
        self.comm = ""
        self.start_ticks: int | None = None
        self.oom_score_adj = 0
        self.rss_kb = 0
        self.swap_kb = 0
        self.uid: int | None = None
        self.cgroup: str | None = None
        self.cmdline = ""
        self.exe: str | None = None
        self.growth_kb_per_second: float | None = None
        self.scanned_pages_per_second: float | None = None
        self.preference = ""
        self.together: str | None = None
        self.labels: Mapping[str, str] = {}
        self.points = 0
        self.terms: tuple[tuple[str, int], ...] = ()


def candidate_as_dict(candidate: Candidate) -> dict[str, Any]:
    """For the log; read back by `candidate_from_dict`."""
    row: dict[str, Any] = {name: getattr(candidate, name) for name in Candidate.__slots__}
    row["terms"] = [list(term) for term in candidate.terms]
    row["unit"] = unit_of(candidate.cgroup)
    return row


def candidate_from_dict(row: Mapping[str, Any]) -> Candidate:
    """Raises KeyError where it is not what `candidate_as_dict` gave."""
    candidate = Candidate(row["pid"], row["oom_score"])
    for name in Candidate.__slots__:
        if name not in ("points", "terms"):
            setattr(candidate, name, row[name])
    return candidate


def unit_of(cgroup: str | None) -> str | None:
    """The innermost systemd unit of a cgroup path: a service or scope."""
    for part in reversed((cgroup or "").split("/")):
        if part.endswith((".service", ".scope")):
            return part
    return None
