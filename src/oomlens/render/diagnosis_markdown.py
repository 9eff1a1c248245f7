"""`diagnose --format markdown`: the page for a ticket or a chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.diagnose.series import Series
from oomlens.i18n import Translate
from oomlens.model.finding import Diagnosis, Verdict
from oomlens.render import facts, past, table
from oomlens.render.diagnosis import (
    RULE_BY_ID,
    SAFETY,
    choice_notes,
    cluster_lines,
    found,
    how_chosen,
    series_lines,
    shown_command,
)
from oomlens.render.sanitize import markdown, visible
from oomlens.render.sentences import evidence_line, sentence
from oomlens.render.sizes import size


def render(diagnosis: Diagnosis, series: Sequence[Series], tr: Translate) -> str:
    """The whole page as Markdown (CommonMark, tables as on GitHub)."""
    return "\n".join(_lines(diagnosis, series, tr)) + "\n"


def _lines(diagnosis: Diagnosis, series: Sequence[Series], tr: Translate) -> Iterator[str]:
    report = diagnosis.incident.report
    yield f"# {markdown(facts.who(report, tr))}: {markdown(facts.cause_line(report, tr))}"
    yield ""
    yield f"{report.id} · {markdown(table.when(report))} · {markdown(report.host or '')} · {markdown(facts.where(report, tr))}"
    if report.message is not None:
        yield from ("", "```text", visible(report.message).replace("```", "'''"), "```")
    yield from ("", f"## {tr('Why')}", "")
    for number, finding in enumerate(found(diagnosis.findings), 1):
        template = finding.outcome.explanation or RULE_BY_ID[finding.rule].explanation
        percent = round(100 * finding.outcome.confidence)
        yield f"{number}. **{tr(RULE_BY_ID[finding.rule].title)}** ({finding.code} {finding.rule}, {percent} %)  "
        yield f"   {sentence(template, finding.outcome.parameters, tr, markdown)}"
        for evidence in finding.outcome.evidence:
            yield f"   - {evidence_line(evidence, tr, markdown)}"
    yield from _before(diagnosis, tr)
    yield from ("", f"## {tr('Why this victim')}", "", markdown(how_chosen(diagnosis, tr)))
    for note in choice_notes(diagnosis.choice, tr):
        yield from ("", markdown(note))
    if diagnosis.choice.candidates:
        yield from ("", "| points | adj | held | pid | name |", "|---:|---:|---:|---:|---|")
        for one in diagnosis.choice.candidates:
            mark = "**" if one.killed else ""
            points = "?" if one.points is None else one.points
            yield f"| {points} | {one.oom_score_adj} | {size(one.held_bytes)} | {mark}{one.pid}{mark} | {markdown(one.comm)} |"
    if diagnosis.counterfactuals:
        yield from ("", f"## {tr('What would have been enough')}", "")
        for what in diagnosis.counterfactuals:
            yield f"- {sentence(what.explanation, {'to': what.to, **what.parameters}, tr, markdown)}"
            yield f"  `{what.arithmetic.replace('`', '')}`"
    yield from ("", f"## {tr('What to do')}", "")
    for number, advice in enumerate(diagnosis.advice, 1):
        yield from (f"### {number}. {tr(advice.title)} ({tr(SAFETY[advice.safety])})", "", tr(advice.text), "", "```sh")
        yield from (shown_command(command, tr).replace("```", "'''") for command in advice.commands)
        yield from ("```", "")
    yield from (f"## {tr('Ruled out')}", "")
    for finding in diagnosis.findings:
        if finding.outcome.verdict is Verdict.RULED_OUT:
            told = "; ".join(evidence_line(evidence, tr, markdown) for evidence in finding.outcome.evidence)
            yield f"- {finding.rule}: {told}"
    missing = [finding for finding in diagnosis.findings if finding.outcome.verdict is Verdict.UNDECIDED]
    if missing:
        yield from ("", f"## {tr('Undecided')}", "")
        yield from (f"- {finding.rule}: {markdown(', '.join(finding.outcome.missing))}" for finding in missing)
    together = [*series_lines(series, tr), *cluster_lines(diagnosis, tr)]
    if together:
        yield from ("", f"## {tr('All incidents in what was read')}", "")
        yield from (f"- {markdown(line.strip())}" for line in together)


def _before(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    if diagnosis.past is None:
        return
    yield from ("", f"## {tr('Before it happened')}", "")
    yield from (f"- {told}" for told in past.sentences(diagnosis.past, tr, markdown))
    for curve in diagnosis.past.curves:
        yield from (f"  - {evidence_line(evidence, tr, markdown)}" for evidence in curve.evidence)
    yield from (f"- {markdown(line)}" for line in past.facts(diagnosis.past, tr))
