"""There was no swap: nowhere to put memory that nobody used."""

from __future__ import annotations

from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope


def check(incident: Incident) -> Outcome:
    report = incident.report
    total = report.memory.get("swap_total_bytes") if report.memory is not None else None
    if total is None:
        return undecided("memory.swap_total_bytes")
    if total > 0:
        return ruled_out(Evidence("swap_total_bytes", total, "bytes", "swap_total_bytes > 0"))
    # Swap of the machine does not help a cgroup that has reached its own limit, or one node of many.
    weight = 0.3 if report.scope is Scope.GLOBAL else 0.05
    return found(
        Evidence("swap_total_bytes", 0, "bytes", "swap_total_bytes == 0"),
        confidence=0.9,
        weight=weight,
        remedies=("add-swap",),
    )


RULE = Rule(
    id="swap-absent",
    code="OOM102",
    rank=60,
    check=check,
    title="No swap",
    explanation="The machine has no swap, so memory that nobody was using could not be moved out of the way.",
    related=("swap-exhausted", "anon-growth"),
)
