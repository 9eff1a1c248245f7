"""The kernel's own measure (mm/oom_kill.c, oom_badness): resident, swapped and page tables as a share of all there is, and oom_score_adj."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.candidate import Candidate

NAME = "badness"


def terms(candidate: Candidate, all_kb: int, everyone: tuple[Candidate, ...]) -> tuple[tuple[str, int], ...]:
    """In thousandths of all memory and swap."""
    del everyone
    held = (candidate.rss_kb + candidate.swap_kb) * 1000 // max(1, all_kb)
    return (("held", held), ("oom_score_adj", candidate.oom_score_adj))
