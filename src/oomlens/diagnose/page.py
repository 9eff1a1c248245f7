"""Incident -> diagnosis: findings, choice of the victim, counterfactuals and advice together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from oomlens.diagnose.advice import advice_for
from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.choice import choice_of
from oomlens.diagnose.engine import diagnose
from oomlens.diagnose.figures import Figures, figures_of
from oomlens.diagnose.rules import RULES
from oomlens.diagnose.series import Series, clusters
from oomlens.diagnose.sizing import cap_for, counterfactuals
from oomlens.kernel.limit_sizes import raised_limit
from oomlens.kernel.swap_sizes import swap_size
from oomlens.model.diagnosis_codec import diagnosis_to_dict
from oomlens.model.finding import Counterfactual, Diagnosis, Incident
from oomlens.model.past import Past, past_to_dict


def diagnosis_of(incident: Incident, past: Past | None = None) -> Diagnosis:
    """Everything that is said about an incident. past: what a recorded history tells of the time before it."""
    figures = figures_of(incident.report)
    findings = diagnose(incident, RULES)
    choice = choice_of(incident.report)
    what_if = counterfactuals(incident, figures, choice)
    advice = advice_for(findings, context_of(incident, figures, what_if))
    return Diagnosis(incident, findings, choice, what_if, advice, past)


def context_of(incident: Incident, figures: Figures, what_if: tuple[Counterfactual, ...]) -> Context:
    """The values that commands are filled in with."""
    report = incident.report
    amounts = {one.change: one.to for one in what_if}
    victim = report.victims[0] if report.victims else None
    hog = figures.holders[0] if figures.holders else None
    names = report.oom_memcg_names or report.task_memcg_names
    limit = figures.get("memcg.limit_bytes")
    ram = figures.get("ram_usable_bytes")
    held = (
        hog.held_bytes if hog is not None and hog.held_bytes else victim.anon_rss_bytes if victim is not None else None
    )
    return Context(
        pid=victim.pid if victim is not None else None,
        comm=victim.comm if victim is not None else None,
        names=names,
        cgroup=report.oom_memcg or report.task_memcg,
        old_limit_bytes=limit or held,
        limit_bytes=amounts.get("limit")
        or (raised_limit(limit, 2) if limit else raised_limit(held, 1) if held else None),
        cap_bytes=amounts.get("limit") if limit else cap_for(figures),
        heap_bytes=amounts.get("heap"),
        swap_bytes=amounts.get("swap") or (swap_size(ram) if ram else None),
        workers=amounts.get("workers"),
        holder_pid=hog.pid if hog is not None else None,
        holder=hog.comm if hog is not None else None,
        adj=max(amounts["oom-score-adj"], -900) if "oom-score-adj" in amounts else None,
        since=report.time,
        nodes=report.nodemask or report.mems_allowed,
    )


def diagnosis_json(diagnosis: Diagnosis, series: Sequence[Series]) -> dict[str, Any]:
    """The JSON document of `diagnose --format json`."""
    texts = {rule.id: (rule.title, rule.explanation) for rule in RULES}
    return {
        **diagnosis_to_dict(diagnosis, texts),
        **({"history": past_to_dict(diagnosis.past)} if diagnosis.past is not None else {}),
        "series": [asdict(one) for one in series],
        "clusters": [asdict(one) for one in clusters(diagnosis.incident.others)],
    }
