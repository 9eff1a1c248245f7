"""What a process would hold in five seconds: the one that grows rather than a big one that has been there all along."""

from __future__ import annotations

from oomlens.policy.rankings import badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from oomlens.policy.candidate import Candidate

NAME = "growth"
AHEAD_SECONDS = 5.0
# Growth can outweigh what is held, but what starts up quickly and is small stays below what fills the machine.
MOST_TIMES_HELD = 2


gather = badness.gather


def terms(candidate: Candidate, all_kb: int, known: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
    """As badness, and what it grows by."""
    base = badness.terms(candidate, all_kb, known)
    if not candidate.growth_kb_per_second or candidate.growth_kb_per_second <= 0:
        return base
    grown = int(candidate.growth_kb_per_second * AHEAD_SECONDS) * 1000 // max(1, all_kb)
    return (*base, ("growth", min(grown, MOST_TIMES_HELD * base[0][1])))
