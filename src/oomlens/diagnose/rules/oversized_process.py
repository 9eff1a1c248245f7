"""One process holds most of the memory."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope

_LARGE = 0.4
_MAIN_PART = 0.55
_LARGE_ALONE_BYTES = 512 << 20


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None and report.scope not in (Scope.CPUSET, Scope.MEMPOLICY):
        return ruled_out(why)
    top = figures.holders[0] if figures.holders else None
    share = figures.part_of(top) if top is not None else None
    if top is None or share is None:
        return _by_victim(incident, figures)
    if share < _LARGE:
        return ruled_out(figures.holder_evidence(top, "<", _LARGE))
    return found(
        figures.holder_evidence(top, ">=", _LARGE),
        confidence=0.85,
        weight=0.55 if report.scope is Scope.MEMCG else _weight(figures, share),
        remedies=("cap-process-memory", "find-leak", "add-ram"),
        process=top.comm,
        pid=top.pid,
        held_bytes=top.held_bytes,
        held_share=share,
    )


def _weight(figures: Figures, share: float) -> float:
    """One process is the story where it holds most of what programs hold."""
    anon = figures.share("anon_bytes") or 0.0
    return max(min(share, 0.95), anon + 0.01) if share >= _MAIN_PART * anon else min(share, 0.95)


def _by_victim(incident: Incident, figures: Figures) -> Outcome:
    victims = incident.report.victims
    victim = victims[0] if victims else None
    held = victim.anon_rss_bytes if victim is not None else None
    if victim is not None and held is not None:
        held += victim.pgtables_bytes or 0
    if victim is None or held is None:
        return undecided("tasks", "memory")
    share = figures.part(held)
    if share is None and held < _LARGE_ALONE_BYTES:
        return undecided("tasks", "memory")
    evidence = Evidence(
        "victim anon_rss_bytes", held, "bytes", message("large on its own; the log does not show the rest"), victim.line
    )
    if share is not None:
        evidence = evidence._replace(
            comparison=f"(anon_rss_bytes + pgtables_bytes) / {figures.pool} = {share:.2f} {'>=' if share >= _LARGE else '<'} {_LARGE}"
        )
        if share < _LARGE:
            return ruled_out(evidence)
    return found(
        evidence,
        confidence=0.65,
        weight=0.51,
        remedies=("cap-process-memory", "find-leak", "add-ram"),
        explanation=_VICTIM if share is None else None,
        process=victim.comm,
        pid=victim.pid,
        held_bytes=held,
        held_share=share,
    )


_VICTIM = message(
    "{process} (pid {pid}) held {held_bytes} when it was killed; the log does not show how much memory there is."
)

RULE = Rule(
    id="oversized-process",
    code="OOM107",
    rank=25,
    check=check,
    title=message("One process holds most of the memory"),
    explanation=message("{process} (pid {pid}) held {held_bytes}, {held_share} of what there is."),
    related=("anon-growth", "heap-exceeds-limit"),
)
