"""oom_score_adj kept the largest process from being chosen."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Trigger

_LARGE = 0.2


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if not figures.holders:
        return undecided("tasks")
    if report.trigger is Trigger.SYSRQ or report.kind is not Kind.KERNEL:
        return ruled_out(Evidence("trigger", report.trigger))
    killed = {victim.pid for victim in report.victims}
    victim = next((holder for holder in figures.holders if holder.pid in killed), None)
    hog = next((holder for holder in figures.holders if holder.pid not in killed), None)
    if hog is None or hog.oom_score_adj is None:
        return ruled_out(Evidence("tasks", len(figures.holders), "count", message("no larger process was left alive")))
    adj = Evidence(
        f"oom_score_adj of {hog.comm}[{hog.pid}]",
        hog.oom_score_adj,
        None,
        "oom_score_adj < 0" if hog.oom_score_adj < 0 else "oom_score_adj >= 0",
        report.lines.get("tasks"),
    )
    larger = victim is None or hog.size > victim.size
    share = figures.part_of(hog)
    if hog.oom_score_adj >= 0 or not larger or (share is not None and share < _LARGE):
        return ruled_out(adj)
    return found(
        figures.holder_evidence(hog),
        adj,
        confidence=0.9,
        weight=0.4 if report.victims else 0.6,  # nobody else was left: its protection is why
        remedies=("lower-protection", "protect-process", "find-leak"),
        process=hog.comm,
        pid=hog.pid,
        held_bytes=hog.held_bytes,
        adj=hog.oom_score_adj,
    )


RULE = Rule(
    id="protected-hog",
    code="OOM115",
    rank=45,
    check=check,
    title=message("The largest process was protected"),
    explanation=message(
        "{process} (pid {pid}) held {held_bytes}, but its oom_score_adj of {adj} kept it from being chosen;"
        " others died in its place and could not give back enough."
    ),
    related=("victim-not-culprit", "anon-growth"),
)
