"""Somebody asked for it: sysrq-f."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Trigger


def check(incident: Incident, _figures: Figures) -> Outcome:
    report = incident.report
    line = report.lines.get("invoker") or report.origin.first_line
    if report.trigger is Trigger.SYSRQ:
        return found(
            Evidence(
                "order",
                report.invoker.order if report.invoker is not None else None,
                "count",
                message("order == -1: sysrq-f"),
                line,
            ),
            confidence=0.99,
            weight=1.0,
            remedies=("find-oom-log",),
        )
    if report.kind is not Kind.KERNEL:
        return ruled_out(Evidence("kind", report.kind.value))
    if report.invoker is None or report.invoker.order is None:
        if report.trigger is Trigger.PAGEFAULT:
            return ruled_out(Evidence("trigger", "pagefault"))
        return undecided("invoker.order")
    return ruled_out(
        Evidence("order", report.invoker.order, "count", message("order >= 0: a request for memory"), line)
    )


RULE = Rule(
    id="manual-kill",
    code="OOM119",
    rank=0,
    check=check,
    title=message("Killed by hand (sysrq-f)"),
    explanation=message(
        "Somebody asked the kernel to kill: sysrq-f, or `echo f > /proc/sysrq-trigger`. Memory was not"
        " necessarily short."
    ),
    related=("panic-on-oom",),
)
