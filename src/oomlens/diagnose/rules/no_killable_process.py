"""Memory was short and there was nobody to kill."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Outcome as ReportOutcome


def check(incident: Incident, _figures: Figures) -> Outcome:
    report = incident.report
    if report.outcome is not ReportOutcome.NO_KILLABLE_PROCESS:
        return (
            undecided("outcome")
            if report.outcome is ReportOutcome.UNKNOWN
            else ruled_out(Evidence("outcome", report.outcome.value))
        )
    return found(
        Evidence("outcome", report.outcome.value, None, report.message, report.lines.get("outcome")),
        confidence=0.95,
        weight=0.45,
        remedies=("lower-protection", "raise-cgroup-limit"),
        explanation=_REPEATED if report.repeats > 1 else None,
        count=report.repeats,
        cgroup=report.oom_memcg,
    )


_REPEATED = message(
    "The kernel found nobody to kill, {count} times in a row: every process is protected (oom_score_adj"
    " -1000), exiting already, or the cgroup is empty."
)

RULE = Rule(
    id="no-killable-process",
    code="OOM124",
    rank=35,
    check=check,
    title=message("Nobody could be killed"),
    explanation=message(
        "The kernel found nobody to kill: every process is protected (oom_score_adj -1000), exiting already,"
        " or the cgroup is empty."
    ),
    related=("protected-hog", "panic-on-oom", "cgroup-limit-reached"),
)
