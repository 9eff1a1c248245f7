"""The kernel's own measure (mm/oom_kill.c, oom_badness): resident, swapped and page tables as a share of all there is, and oom_score_adj."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from oomlens.policy.candidate import Candidate

NAME = "badness"


def gather(everyone: tuple[Candidate, ...]) -> Mapping[str, float]:
    """Nothing: each counts by itself."""
    del everyone
    return {}


def terms(candidate: Candidate, all_kb: int, known: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
    """In thousandths of all memory and swap."""
    del known
    held = (candidate.rss_kb + candidate.swap_kb) * 1000 // max(1, all_kb)
    return (("held", held), ("oom_score_adj", candidate.oom_score_adj))
