"""Runs the rules and orders what they found: the first finding is what a senior engineer would say first."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.diagnose.figures import Figures, figures_of
from oomlens.diagnose.rule import Rule
from oomlens.model.finding import Finding, Incident, Outcome, Verdict

_ORDER = {Verdict.FOUND: 0, Verdict.RULED_OUT: 1, Verdict.UNDECIDED: 2}


def diagnose(incident: Incident, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """Every rule's finding: found causes by weight and rank, then those ruled out, then the undecided."""
    figures = figures_of(incident.report)
    answers = [(rule, _answer(rule, incident, figures)) for rule in rules]
    answers.sort(key=lambda answer: (_ORDER[answer[1].verdict], -round(answer[1].weight, 2), answer[0].rank))
    return tuple(Finding(rule.id, rule.code, outcome) for rule, outcome in answers)


def _answer(rule: Rule, incident: Incident, figures: Figures) -> Outcome:
    """The rule's outcome; a rule that fails says so and does not hide the others."""
    try:
        return rule.check(incident, figures)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return Outcome(Verdict.UNDECIDED, missing=(f"rule failed: {type(error).__name__}: {error}",))
