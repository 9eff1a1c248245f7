"""The cgroup that holds most: each process counts with all that its cgroup's processes hold."""

from __future__ import annotations

from oomlens.policy.rankings import badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.candidate import Candidate

NAME = "cgroup"


def terms(candidate: Candidate, all_kb: int, everyone: tuple[Candidate, ...]) -> tuple[tuple[str, int], ...]:
    """As badness, and the rest of its cgroup."""
    base = badness.terms(candidate, all_kb, everyone)
    if candidate.cgroup is None:
        return base
    rest = sum(
        other.rss_kb + other.swap_kb
        for other in everyone
        if other.cgroup == candidate.cgroup and other is not candidate
    )
    return (*base, ("rest_of_cgroup", rest * 1000 // max(1, all_kb)))
