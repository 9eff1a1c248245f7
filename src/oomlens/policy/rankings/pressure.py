"""Who makes the pressure: the cgroup whose pages reclaim has to scan most (memory.stat, pgscan), as systemd-oomd does; then by badness."""

from __future__ import annotations

from oomlens.policy.rankings import badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oomlens.policy.candidate import Candidate

NAME = "pressure"


def terms(candidate: Candidate, all_kb: int, everyone: tuple[Candidate, ...]) -> tuple[tuple[str, int], ...]:
    """As badness, and its cgroup's share of all that is scanned."""
    base = badness.terms(candidate, all_kb, everyone)
    scanned: dict[str, float] = {}
    for other in everyone:
        if other.cgroup is not None and other.scanned_pages_per_second is not None:
            scanned[other.cgroup] = other.scanned_pages_per_second
    total = sum(scanned.values())
    if candidate.cgroup not in scanned or total <= 0:
        return base
    return (*base, ("scanned", int(1000 * scanned[candidate.cgroup] / total)))
