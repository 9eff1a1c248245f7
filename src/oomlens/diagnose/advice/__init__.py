"""Remedies as commands with the incident's values; a row a remedy, in files by subject."""

from __future__ import annotations

from collections.abc import Iterable

from oomlens.diagnose.advice import kernel, limits, look, runtime, score, swap
from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.advice.remedy import Remedy
from oomlens.model.finding import Advice, Finding, Verdict

REMEDIES: tuple[Remedy, ...] = (
    *kernel.REMEDIES,
    *limits.REMEDIES,
    *look.REMEDIES,
    *runtime.REMEDIES,
    *score.REMEDIES,
    *swap.REMEDIES,
)
BY_ID = {remedy.id: remedy for remedy in REMEDIES}


def advice_for(findings: Iterable[Finding], context: Context) -> tuple[Advice, ...]:
    """The remedies of the found causes, the first cause's first, each once."""
    ids = dict.fromkeys(
        remedy
        for finding in findings
        if finding.outcome.verdict is Verdict.FOUND
        for remedy in finding.outcome.remedies
    )
    return tuple(advise(BY_ID[name], context) for name in ids if name in BY_ID)


def advise(remedy: Remedy, context: Context) -> Advice:
    """A remedy with its commands filled in."""
    return Advice(remedy.id, remedy.title, remedy.text, remedy.safety, remedy.commands(context))
