"""The machine is set to panic instead of killing."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import ample_free
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Outcome as ReportOutcome


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if report.outcome is not ReportOutcome.PANIC:
        if report.outcome is ReportOutcome.UNKNOWN:
            return undecided("outcome")
        return ruled_out(Evidence("outcome", report.outcome.value, None, None, report.lines.get("victims")))
    line = report.lines.get("outcome")
    short = ample_free(figures) is None
    if report.panic is not None and "deadlocked" in report.panic:
        return found(
            Evidence("panic", report.panic, None, message("no killable process was left"), line),
            confidence=0.95,
            weight=0.5,
            remedies=("lower-protection", "find-leak"),
            explanation=_NOBODY,
        )
    return found(
        Evidence("panic", report.panic, None, message("vm.panic_on_oom is set"), line),
        confidence=0.95,
        weight=0.5 if short else 1.0,
        remedies=("disable-panic-on-oom",),
    )


_NOBODY = message(
    "The kernel panicked because no process was left that it may kill: all large ones are protected"
    " (oom_score_adj -1000) or are init."
)

RULE = Rule(
    id="panic-on-oom",
    code="OOM120",
    rank=4,
    check=check,
    title=message("The machine panicked on the shortage"),
    explanation=message("The machine is set to panic instead of killing a process (vm.panic_on_oom)."),
    related=("protected-hog", "cpuset-or-numa-bound", "manual-kill"),
)
