"""Anonymous memory of programs took it all: a leak, or more work than fits."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope

_LARGE = 0.4
# Known only by the kill line: this much in one victim on a whole machine says that programs took it.
_LARGE_ALONE_BYTES = 256 << 20


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    memcg = report.scope is Scope.MEMCG
    name = "memcg.anon_bytes" if memcg else "anon_bytes"
    share = figures.share(name)
    if share is None:
        return _by_victim(incident, figures)
    if share < _LARGE:
        return ruled_out(figures.share_evidence(name, "<", _LARGE))
    top = figures.holders[0] if figures.holders else None
    evidence = [figures.share_evidence(name, ">=", _LARGE)]
    if top is not None:
        evidence.append(figures.holder_evidence(top))
    victim = report.victims[0] if report.victims else None
    who = top.comm if top is not None else victim.comm if victim is not None else None
    return found(
        *evidence,
        confidence=0.85,
        weight=0.6 if memcg else share,
        remedies=("find-leak", "watch-memory", "restart-periodically", "cap-process-memory"),
        explanation=_EXPLANATION if who is not None and top is not None else _NOBODY,
        anon_bytes=figures.get(name),
        anon_share=share,
        process=who,
        held_bytes=top.held_bytes if top is not None else None,
    )


def _by_victim(incident: Incident, figures: Figures) -> Outcome:
    victims = incident.report.victims
    anon = victims[0].anon_rss_bytes if victims else None
    if anon is None:
        return undecided("memory.active_anon_bytes", "memcg.stats")
    memcg = incident.report.scope is Scope.MEMCG
    limit = figures.pool_bytes
    line = victims[0].line
    if limit is not None and anon < _LARGE * limit:
        return undecided("memcg.stats" if memcg else "memory.active_anon_bytes")
    if limit is None and anon < _LARGE_ALONE_BYTES:
        return undecided("memory", "tasks")
    return found(
        Evidence(
            "victim anon_rss_bytes", anon, "bytes", message("the kernel kills the largest; this is what it held"), line
        ),
        confidence=0.6,
        weight=0.5,
        remedies=("find-leak", "watch-memory", "restart-periodically"),
        explanation=_VICTIM,
        process=victims[0].comm,
        held_bytes=anon,
    )


_EXPLANATION = message(
    "Memory of programs (anonymous) was {anon_bytes}, {anon_share} of what there is; the largest, {process},"
    " held {held_bytes}."
    " One report cannot tell a leak from a load that is simply too large: compare with earlier kills or a"
    " recorded history."
)
_NOBODY = message("Memory of programs (anonymous) was {anon_bytes}, {anon_share} of what there is.")
_VICTIM = message("The victim {process} held {held_bytes} of anonymous memory; the log shows no more than that.")

RULE = Rule(
    id="anon-growth",
    code="OOM104",
    rank=20,
    check=check,
    title=message("Programs took all memory (leak or load)"),
    explanation=_EXPLANATION,
    related=("oversized-process", "too-many-tasks", "heap-exceeds-limit", "repeat-offender"),
)
