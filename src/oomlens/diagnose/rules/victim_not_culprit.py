"""The killed process was not the one that held the memory."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage, ran_out_of_ram
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind

_SMALL = 0.1
_OTHERS = 1.5


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    victim = report.victims[0] if report.victims else None
    if victim is None:
        return undecided("victims")
    if report.kind is not Kind.KERNEL or len(report.victims) > 1:
        return ruled_out(Evidence("victims", len(report.victims), "count"))
    row = next((holder for holder in figures.holders if holder.pid == victim.pid), None)
    held = row.size if row is not None else victim.anon_rss_bytes
    if held is None:
        return undecided("victims.anon_rss_bytes")
    other = next((holder for holder in figures.holders if holder.pid != victim.pid), None)
    unit = row.unit if row is not None else "bytes"
    own = Evidence(f"held by {victim.comm}[{victim.pid}]", held, unit, None, victim.line)
    if other is not None and other.size > _OTHERS * max(held, 1):
        return found(
            own,
            figures.holder_evidence(other),
            confidence=0.85,
            weight=0.35,
            remedies=("find-holder", "set-oom-score-adj"),
            victim=victim.comm,
            held_bytes=held if unit == "bytes" else None,
            holder=other.comm,
            holder_pid=other.pid,
            holder_bytes=other.held_bytes,
        )
    group = next((one for one in figures.groups if one.comm != victim.comm), None)
    if group is not None and group.count > 3 and group.size > 2 * max(held, 1):
        return found(
            own,
            figures.holder_evidence(group),
            confidence=0.8,
            weight=0.35,
            remedies=("find-holder", "fewer-workers"),
            explanation=_CROWD,
            victim=victim.comm,
            held_bytes=held if unit == "bytes" else None,
            holder=group.comm,
            holder_bytes=group.held_bytes,
            count=group.count,
        )
    share = figures.part(held, unit)
    if share is not None and share < _SMALL and ran_out_of_ram(report) and not no_shortage(figures):
        return found(
            own._replace(comparison=f"held / {figures.pool} = {share:.2f} < {_SMALL}"),
            confidence=0.8,
            weight=0.2,
            remedies=("find-holder",),
            explanation=_NOBODY,
            victim=victim.comm,
            held_bytes=held if unit == "bytes" else None,
        )
    if share is None and not figures.holders:
        return undecided("tasks", "memory")
    return ruled_out(own._replace(comparison=message("no other process held clearly more")))


_CROWD = message(
    "{victim} was killed with {held_bytes}, but {count} processes called {holder} held {holder_bytes}"
    " together. The kernel compares single processes, never groups."
)
_NOBODY = message(
    "{victim} was the largest process that could be killed and held only {held_bytes}: the memory is not in"
    " processes at all (kernel, shared memory, huge pages). Killing it helped little."
)

RULE = Rule(
    id="victim-not-culprit",
    code="OOM114",
    rank=50,
    check=check,
    title=message("The victim is not the culprit"),
    explanation=message(
        "{victim} was killed with {held_bytes}, while {holder} (pid {holder_pid}) held {holder_bytes}."
    ),
    related=("protected-hog", "shmem-growth", "kernel-slab-growth", "too-many-tasks"),
)
