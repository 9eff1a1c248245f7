"""Swap was full as well."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Incident, Outcome
from oomlens.model.report import Scope

_FULL = 0.9


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    if report.scope is Scope.MEMCG:
        return _cgroup(figures)
    total, used = figures.get("swap_total_bytes"), figures.get("swap_used_bytes")
    if total is None or (total > 0 and used is None):
        return undecided("memory.swap_total_bytes", "memory.swap_free_bytes")
    if total == 0:
        return ruled_out(figures.evidence("swap_total_bytes", message("swap_total_bytes == 0: there is none")))
    assert used is not None
    part = used / total
    evidence = figures.evidence(
        "swap_free_bytes", f"used {used} / total {total} = {part:.2f} {'>=' if part >= _FULL else '<'} {_FULL}"
    )
    if part < _FULL:
        return ruled_out(evidence)
    return found(
        evidence,
        confidence=0.95,
        weight=0.55,
        remedies=("enlarge-swap", "add-zram", "find-leak"),
        used_bytes=used,
        total_bytes=total,
    )


def _cgroup(figures: Figures) -> Outcome:
    used, limit = figures.get("memcg.swap_usage_bytes"), figures.get("memcg.swap_limit_bytes")
    name = "memcg.swap_usage_bytes"
    if limit is None and figures.has(
        "memcg.memsw_usage_bytes", "memcg.memsw_limit_bytes", "memcg.limit_bytes", "memcg.usage_bytes"
    ):
        limit = max(figures.values["memcg.memsw_limit_bytes"] - figures.values["memcg.limit_bytes"], 0)
        used = max(figures.values["memcg.memsw_usage_bytes"] - figures.values["memcg.usage_bytes"], 0)
        name = "memcg.memsw_usage_bytes"
    if limit is None or used is None:
        return undecided("memcg.swap_limit_bytes")
    if limit == 0:
        return ruled_out(figures.evidence(name, message("the cgroup may use no swap")))
    part = used / limit
    evidence = figures.evidence(
        name, f"used {used} / limit {limit} = {part:.2f} {'>=' if part >= _FULL else '<'} {_FULL}"
    )
    if part < _FULL:
        return ruled_out(evidence)
    return found(
        evidence,
        confidence=0.9,
        weight=0.95,
        remedies=("allow-cgroup-swap", "find-leak"),
        explanation=_CGROUP,
        used_bytes=used,
        total_bytes=limit,
    )


_CGROUP = message("The cgroup had used up the swap that it may use: {used_bytes} of {total_bytes}.")

RULE = Rule(
    id="swap-exhausted",
    code="OOM103",
    rank=40,
    check=check,
    title=message("Swap is used up"),
    explanation=message(
        "RAM was full and {used_bytes} of {total_bytes} swap were in use as well: nothing was left to move memory to."
    ),
    related=("swap-absent", "anon-growth"),
)
