"""A guard in user space decided, before the kernel had to."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind


def check(incident: Incident, _figures: Figures) -> Outcome:
    report = incident.report
    if report.kind is Kind.USERSPACE:
        told = report.origin.first_line
        return found(
            Evidence("killer", report.killer, None, report.message, told),
            *(Evidence(name, value, None, None, told) for name, value in report.details.items()),
            confidence=0.97,
            weight=1.0,
            remedies=("tune-guard", "watch-memory"),
            killer=report.killer,
            why=report.message,
        )
    if report.kind is Kind.NOTICE:
        return ruled_out(Evidence("kind", "notice", None, message("a notice of the kernel's kill")))
    return ruled_out(Evidence("killer", report.killer))


RULE = Rule(
    id="userspace-killer",
    code="OOM123",
    rank=0,
    check=check,
    title=message("A guard in user space killed, not the kernel"),
    explanation=message("{killer} decided to kill, by its own thresholds: {why}"),
    related=("swap-exhausted", "cgroup-limit-reached"),
)
