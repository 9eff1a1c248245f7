"""Who makes the pressure: the cgroup whose pages reclaim has to scan most (memory.stat, pgscan), as systemd-oomd does; then by badness."""

from __future__ import annotations

from oomlens.policy.rankings import badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from oomlens.policy.candidate import Candidate

NAME = "pressure"


def gather(everyone: tuple[Candidate, ...]) -> Mapping[str, float]:
    """Each cgroup's share of all that is scanned."""
    scanned: dict[str, float] = {}
    for each in everyone:
        if each.cgroup is not None and each.scanned_pages_per_second is not None:
            scanned[each.cgroup] = max(scanned.get(each.cgroup, 0.0), each.scanned_pages_per_second)
    total = sum(sorted(scanned.values()))  # whatever the order of the list
    return {cgroup: pages / total for cgroup, pages in scanned.items()} if total > 0 else {}


def terms(candidate: Candidate, all_kb: int, known: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
    """As badness, and its cgroup's share of all that is scanned."""
    base = badness.terms(candidate, all_kb, known)
    if candidate.cgroup is None or candidate.cgroup not in known:
        return base
    return (*base, ("scanned", int(1000 * known[candidate.cgroup])))
