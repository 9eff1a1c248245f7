"""Many processes or threads, each small: their number is the cause."""

from __future__ import annotations

from collections import Counter

from oomlens.diagnose.figures import Figures, Holder
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Scope

_MANY = 10
_LARGE = 0.3
_MAIN_PART = 0.4
_STACKS = 0.06  # kernel stacks are 16 KiB a thread: this share means thousands for the size of the machine


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    stacks = (
        figures.share("kernel_stack_bytes")
        if report.scope is not Scope.MEMCG
        else figures.share("memcg.kernel_stack_bytes")
    )
    if stacks is not None and stacks >= _STACKS:
        name = "kernel_stack_bytes" if report.scope is not Scope.MEMCG else "memcg.kernel_stack_bytes"
        return found(
            figures.share_evidence(name, ">=", _STACKS),
            confidence=0.85,
            weight=0.7 + stacks,
            remedies=("limit-tasks", "fewer-workers"),
            explanation=_THREADS,
            stack_bytes=figures.get(name),
            threads=(figures.get(name) or 0) >> 14,
        )
    crowd = next((group for group in figures.groups if group.count >= _MANY and group.comm), None)
    if crowd is None:
        return _without_crowd(incident, figures)
    largest = max((holder.size for holder in figures.holders if holder.comm == crowd.comm), default=0)
    share = figures.part_of(crowd)
    if share is None:
        everything = sum(holder.size for holder in figures.holders)
        part = crowd.size / everything if everything else 0.0
        # The table counts shared pages once per process, so a share of the table says less than one of the RAM.
        if part < 0.5:
            return undecided("memory", "memcg.limit_bytes")
        return found(
            figures.holder_evidence(crowd),
            confidence=0.7,
            weight=0.75,
            remedies=("fewer-workers", "limit-tasks", "watch-memory"),
            process=crowd.comm,
            count=crowd.count,
            held_bytes=crowd.held_bytes,
        )
    if share < _LARGE or largest > crowd.size / 3:
        return ruled_out(figures.holder_evidence(crowd, "<", _LARGE))
    return found(
        figures.holder_evidence(crowd, ">=", _LARGE),
        confidence=0.85,
        weight=_weight(figures, crowd, share),
        remedies=("fewer-workers", "limit-tasks", "watch-memory"),
        process=crowd.comm,
        count=crowd.count,
        held_bytes=crowd.held_bytes,
    )


def _weight(figures: Figures, crowd: Holder, share: float) -> float:
    """Their number is the story where they hold a good part of what programs hold, and more than any other process."""
    anon = figures.share("memcg.anon_bytes" if figures.report.scope is Scope.MEMCG else "anon_bytes") or 0.0
    other = max((holder.size for holder in figures.holders if holder.comm != crowd.comm), default=0)
    if figures.report.scope is not Scope.MEMCG and crowd.size > other and share >= _MAIN_PART * anon:
        return max(min(share, 0.9), anon) + 0.03
    return min(share, 0.9) + 0.05


def _without_crowd(incident: Incident, figures: Figures) -> Outcome:
    victims = incident.report.victims
    names = Counter(victim.comm for other in (incident.report, *incident.others) for victim in other.victims[:50])
    if len(victims) >= _MANY:
        comm, count = Counter(victim.comm for victim in victims).most_common(1)[0]
        return found(
            Evidence("victims", len(victims), "count", f"{comm} x {count}", victims[0].line),
            confidence=0.7,
            weight=0.6,
            remedies=("fewer-workers", "limit-tasks"),
            explanation=_GROUP,
            process=comm,
            count=count,
        )
    if not figures.holders:
        if names and names.most_common(1)[0][1] >= 3 and not figures.has("anon_bytes"):
            comm, count = names.most_common(1)[0]
            return found(
                Evidence(
                    "victims",
                    count,
                    "count",
                    f"{comm} x {count}",
                    victims[0].line if victims else None,
                ),
                confidence=0.5,
                weight=0.45,
                remedies=("fewer-workers", "limit-tasks"),
                explanation=_GROUP,
                process=comm,
                count=count,
            )
        return undecided("tasks")
    return ruled_out(
        Evidence(
            "tasks",
            len(figures.holders),
            "count",
            f"largest group < {_MANY}",
            incident.report.lines.get("tasks"),
        )
    )


_THREADS = message(
    "Kernel stacks take {stack_bytes}: about {threads} threads. No process is large; the number of threads is."
)
_GROUP = message("{count} processes called {process} were killed: there are too many of them for the memory.")

RULE = Rule(
    id="too-many-tasks",
    code="OOM106",
    rank=15,
    check=check,
    title=message("Too many processes or threads"),
    explanation=message(
        "{count} processes called {process} held {held_bytes} together. Each is small; their number is the"
        " cause (a worker pool, parallel jobs, a fork bomb)."
    ),
    related=("anon-growth", "oversized-process"),
)
