"""There was no swap: nowhere to put memory that nobody used."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage, ran_out_of_ram
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    if report.scope is Scope.MEMCG:
        limit = figures.get("memcg.swap_limit_bytes")
        if limit == 0 and (figures.share("memcg.anon_bytes") or 0) > 0.5:
            return found(
                figures.evidence("memcg.swap_limit_bytes", "memcg.swap_limit_bytes == 0"),
                confidence=0.8,
                weight=0.15,
                remedies=("allow-cgroup-swap",),
                explanation=_CGROUP,
            )
    total = figures.get("swap_total_bytes")
    if total is None:
        return undecided("memory.swap_total_bytes")
    if total > 0:
        return ruled_out(figures.evidence("swap_total_bytes", "swap_total_bytes > 0"))
    # Swap of the machine does not help a cgroup that has reached its own limit, nor where anonymous memory is small.
    swappable = (figures.get("anon_bytes") or 0) + (figures.get("shmem_bytes") or 0)
    share = figures.part(swappable)
    if share is not None and share < 0.2:
        return ruled_out(
            Evidence(
                "anon_bytes + shmem_bytes",
                swappable,
                "bytes",
                f"{share:.2f} of RAM < 0.2",
            )
        )
    weight = 0.3 if ran_out_of_ram(report) else 0.05
    return found(
        figures.evidence("swap_total_bytes", "swap_total_bytes == 0"),
        confidence=0.9,
        weight=weight,
        remedies=("add-swap", "add-zram", "set-swappiness"),
    )


_CGROUP = message(
    "The cgroup may use no swap (its swap limit is 0), so memory that nobody was using could not be moved out"
    " of the way."
)

RULE = Rule(
    id="swap-absent",
    code="OOM102",
    rank=60,
    check=check,
    title=message("No swap"),
    explanation=message("The machine has no swap, so memory that nobody was using could not be moved out of the way."),
    related=("swap-exhausted", "anon-growth"),
)
