"""The cgroup that holds most: each process counts with all that its cgroup's processes hold."""

from __future__ import annotations

from oomlens.policy.rankings import badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from oomlens.policy.candidate import Candidate

NAME = "cgroup"


def gather(everyone: tuple[Candidate, ...]) -> Mapping[str, float]:
    """What each cgroup's processes hold, in kB."""
    held: dict[str, float] = {}
    for each in everyone:
        if each.cgroup is not None:
            held[each.cgroup] = held.get(each.cgroup, 0) + each.rss_kb + each.swap_kb
    return held


def terms(candidate: Candidate, all_kb: int, known: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
    """As badness, and the rest of its cgroup."""
    base = badness.terms(candidate, all_kb, known)
    if candidate.cgroup is None:
        return base
    rest = int(known[candidate.cgroup]) - candidate.rss_kb - candidate.swap_kb
    return (*base, ("rest_of_cgroup", rest * 1000 // max(1, all_kb)))
