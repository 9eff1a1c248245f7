"""Runs the rules and orders what they found: the first finding is what a senior engineer would say first."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.diagnose.rule import Rule
from oomlens.model.finding import Finding, Incident, Verdict

_ORDER = {Verdict.FOUND: 0, Verdict.RULED_OUT: 1, Verdict.UNDECIDED: 2}


def diagnose(incident: Incident, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """Every rule's finding: found causes by weight and rank, then those ruled out, then the undecided."""
    answers = [(rule, rule.check(incident)) for rule in rules]
    answers.sort(key=lambda answer: (_ORDER[answer[1].verdict], -answer[1].weight, answer[0].rank, answer[0].id))
    return tuple(Finding(rule.id, rule.code, outcome) for rule, outcome in answers)
