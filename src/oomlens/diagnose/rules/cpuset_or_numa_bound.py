"""Only some memory nodes were allowed, and those were full."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Scope, Trigger


def check(incident: Incident, _figures: Figures) -> Outcome:
    report = incident.report
    if report.kind is not Kind.KERNEL or report.trigger is Trigger.SYSRQ:
        return ruled_out(Evidence("kind", report.kind.value))
    line = report.lines.get("constraint") or report.lines.get("cpuset") or report.lines.get("invoker")
    if report.scope is Scope.CPUSET:
        return found(
            Evidence("constraint", "CPUSET", None, f"mems_allowed={report.mems_allowed}", line),
            confidence=0.97,
            weight=1.0,
            remedies=("widen-cpuset", "spread-numa"),
            explanation=_CPUSET,
            cpuset=report.cpuset,
            nodes=report.mems_allowed or "?",
        )
    if report.scope is Scope.MEMPOLICY:
        return found(
            Evidence("constraint", "MEMORY_POLICY", None, f"nodemask={report.nodemask}", line),
            confidence=0.97,
            weight=1.0,
            remedies=("spread-numa", "widen-cpuset"),
            nodes=report.nodemask or report.mems_allowed or "?",
        )
    if report.scope is Scope.UNKNOWN:
        return undecided("constraint")
    return ruled_out(Evidence("constraint", report.constraint, None, f"scope == {report.scope.value}", line))


_CPUSET = message(
    "The cpuset {cpuset} allows memory from node(s) {nodes} only, and those were full. Other nodes may have"
    " had plenty: this is no shortage of the machine."
)

RULE = Rule(
    id="cpuset-or-numa-bound",
    code="OOM113",
    rank=3,
    check=check,
    title=message("Bound to memory nodes that were full"),
    explanation=message(
        "A memory policy (mbind, numactl --membind) allows memory from node(s) {nodes} only, and those were"
        " full. Other nodes may have had plenty: this is no shortage of the machine."
    ),
    related=("oversized-process", "lowmem-zone-exhausted"),
)
