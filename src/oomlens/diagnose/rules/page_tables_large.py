"""Page tables: huge or sparse mappings, or many processes mapping the same memory."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope

_LARGE = 0.12


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    name = "memcg.pagetables_bytes" if report.scope is Scope.MEMCG else "pagetables_bytes"
    share = figures.share(name)
    holder = max(report.tasks, key=lambda task: task.pgtables_bytes or 0, default=None)
    own = holder.pgtables_bytes if holder is not None else None
    if share is None and (
        holder is None or not own or not holder.rss_bytes or own < 64 << 20 or own < holder.rss_bytes
    ):
        return undecided(name)
    if share is not None and share < _LARGE:
        return ruled_out(figures.share_evidence(name, "<", _LARGE))
    evidence = [figures.share_evidence(name, ">=", _LARGE)] if share is not None else []
    if holder is not None and own:
        evidence.append(
            Evidence(f"pgtables_bytes of {holder.comm}[{holder.pid}]", own, "bytes", None, report.lines.get("tasks"))
        )
    return found(
        *evidence,
        confidence=0.9,
        weight=0.7 if share is None else min(share + 0.3, 0.95),
        remedies=("inspect-page-tables", "use-huge-pages"),
        tables_bytes=figures.get(name) if share is not None else own,
        process=holder.comm if holder is not None else None,
        process_bytes=own,
    )


RULE = Rule(
    id="page-tables-large",
    code="OOM116",
    rank=9,
    check=check,
    title=message("Page tables took the memory"),
    explanation=message(
        "Page tables took {tables_bytes}; the largest are those of {process} with {process_bytes}. They come"
        " from mappings that are huge, sparse, or shared by many processes."
    ),
    related=("too-many-tasks", "unaccounted-memory"),
)
