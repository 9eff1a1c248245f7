"""`oomlens diagnose`: the page for one incident as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from oomlens.diagnose.rules import RULES
from oomlens.diagnose.series import Series, clusters
from oomlens.i18n import Translate, message
from oomlens.model.finding import Advice, Candidate, Choice, Diagnosis, Finding, Verdict
from oomlens.render import facts, past, table
from oomlens.render.sanitize import visible, width
from oomlens.render.sentences import duration, evidence_line, sentence
from oomlens.render.sizes import size

RULE_BY_ID = {rule.id: rule for rule in RULES}
SAFETY = {
    "safe": message("safe"),
    "disruptive": message("restarts something"),
    "manual": message("think first"),
}
HOW = {
    "highest": message("{victim} had the highest badness of all processes that could be killed."),
    "child": message("The kernel chose {chosen} and killed its child {victim} instead (kernels up to 5.0 do so)."),
    "allocating-task": message(
        "{victim} was killed because it asked for memory (vm.oom_kill_allocating_task), not because it was the largest."
    ),
    "group": message("The whole cgroup was killed (memory.oom.group), {count} processes; {victim} was the one chosen."),
    "by-hand": message("Somebody asked for a kill by hand; the kernel took the process with the highest badness."),
    "nobody": message("Nobody was killed."),
    "differs": message(
        "By the numbers of the task table {first} would have been first; the kernel took {victim}: its table"
        " may be cut, or the sizes changed meanwhile."
    ),
    "unknown": message("The report does not show enough to recompute the choice."),
}
_WIDTH = 100


def render(
    diagnosis: Diagnosis, series: Sequence[Series], tr: Translate, *, bold: bool = False, columns: int = _WIDTH
) -> str:
    """The whole page."""
    lines: list[str] = []
    for title, body in _sections(diagnosis, series, tr, columns):
        block = list(body)
        if block:
            lines += ["", _strong(title, bold), *block] if title else block
    return "\n".join(lines) + "\n"


def short(diagnosis: Diagnosis, tr: Translate, columns: int = _WIDTH) -> list[str]:
    """The diagnosis in about five lines: the two first causes, a sentence each, and how it grew."""
    lines = list(_headline(diagnosis, tr))[:1]
    for finding in found(diagnosis.findings)[:2]:
        lines.append(f"  {tr(RULE_BY_ID[finding.rule].title)} ({finding.code})")
        lines += _wrapped(_first_sentence(explanation(finding, tr)), columns, "    ")
    if diagnosis.past is not None and diagnosis.past.curves:
        lines += _wrapped(past.shape_sentence(diagnosis.past.curves[0], tr), columns, "  ")
    return lines


def _first_sentence(text: str) -> str:
    for mark in ("。", ". "):
        if mark in text:
            return text[: text.index(mark) + 1]
    return text


def found(findings: Sequence[Finding]) -> list[Finding]:
    """The causes that are there, most important first."""
    return [finding for finding in findings if finding.outcome.verdict is Verdict.FOUND]


def explanation(finding: Finding, tr: Translate) -> str:
    """The finding's text with this incident's values."""
    template = finding.outcome.explanation or RULE_BY_ID[finding.rule].explanation
    return sentence(template, finding.outcome.parameters, tr)


def how_chosen(diagnosis: Diagnosis, tr: Translate) -> str:
    """Why this victim, in a sentence."""
    report, choice = diagnosis.incident.report, diagnosis.choice
    victim = report.victims[0] if report.victims else None
    first = choice.candidates[0] if choice.candidates else None
    values = {
        "victim": f"{victim.comm}[{victim.pid}]" if victim is not None else None,
        "chosen": f"{report.chosen.comm}[{report.chosen.pid}]" if report.chosen is not None else None,
        "first": f"{first.comm}[{first.pid}]" if first is not None else None,
        "count": len(report.victims),
    }
    return sentence(HOW[choice.how], values, tr)


def choice_notes(choice: Choice, tr: Translate) -> Iterator[str]:
    """What oom_score_adj did to the choice, and who was spared."""
    if choice.first_without_adj is not None:
        other = choice.first_without_adj
        yield sentence(
            tr("Without any oom_score_adj, {process} ({held_bytes}) would have been chosen."),
            {"process": f"{other.comm}[{other.pid}]", "held_bytes": other.held_bytes},
            _same,
        )
    large = [one for one in choice.spared if one.held_bytes and one.held_bytes >= 1 << 20][:3]
    if large:
        names = ", ".join(f"{visible(one.comm)}[{one.pid}] {size(one.held_bytes)}" for one in large)
        yield tr("Could not be chosen (oom_score_adj -1000, or PID 1): {names}").format(names=names)


def _same(text: str) -> str:
    return text


def _strong(text: str, bold: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if bold else text


def _sections(
    diagnosis: Diagnosis, series: Sequence[Series], tr: Translate, columns: int
) -> Iterator[tuple[str, Iterable[str]]]:
    yield "", _headline(diagnosis, tr)
    yield tr("Why"), _why(diagnosis, tr, columns)
    yield tr("Before it happened"), _before(diagnosis, tr, columns)
    yield tr("Why this victim"), _victim(diagnosis, tr, columns)
    yield tr("What would have been enough"), _enough(diagnosis, tr, columns)
    yield tr("What to do"), _advice(diagnosis.advice, tr, columns)
    yield tr("Ruled out"), _ruled_out(diagnosis, tr)
    yield tr("Undecided"), _undecided(diagnosis, tr)
    yield tr("All incidents in what was read"), chain(series_lines(series, tr), cluster_lines(diagnosis, tr))
    yield tr("More"), _more(diagnosis, tr)


def _headline(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    report = diagnosis.incident.report
    yield "  ".join(
        part
        for part in (
            report.id,
            table.when(report),
            visible(report.host or ""),
            facts.who(report, tr),
            size(facts.how_much(report), ""),
            facts.where(report, tr),
        )
        if part
    )
    yield facts.cause_line(report, tr)
    if report.message is not None:
        yield visible(report.message)


def _why(diagnosis: Diagnosis, tr: Translate, columns: int) -> Iterator[str]:
    causes = found(diagnosis.findings)
    if not causes:
        yield "  " + tr("The log does not hold enough to say why. What is missing is listed below.")
    for number, finding in enumerate(causes, 1):
        sure = tr("{percent} % sure").format(percent=round(100 * finding.outcome.confidence))
        yield f"{number:2}. {finding.code} {tr(RULE_BY_ID[finding.rule].title)}  ({finding.rule}, {sure})"
        yield from _wrapped(explanation(finding, tr), columns, "    ")
        for evidence in finding.outcome.evidence:
            yield f"      - {evidence_line(evidence, tr)}"


def _before(diagnosis: Diagnosis, tr: Translate, columns: int) -> Iterator[str]:
    if diagnosis.past is None:
        return
    for told in past.sentences(diagnosis.past, tr):
        yield from _wrapped(told, columns, "  ")
    yield from past.lines(diagnosis.past, tr)


def _victim(diagnosis: Diagnosis, tr: Translate, columns: int) -> Iterator[str]:
    choice = diagnosis.choice
    if choice.how == "unknown" and not choice.candidates:
        return
    yield from _wrapped(how_chosen(diagnosis, tr), columns, "  ")
    for note in choice_notes(choice, tr):
        yield from _wrapped(note, columns, "  ")
    yield from (f"  {line}" for line in _candidates(choice.candidates))


def _candidates(candidates: Sequence[Candidate]) -> Iterator[str]:
    if not candidates:
        return
    head = ("POINTS", "ADJ", "HELD", "PID", "NAME")
    rows = [head, *(_candidate(one) for one in candidates)]
    widths = [max(width(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join([*(f"{cell:>{columns}}" for cell, columns in zip(row[:4], widths, strict=True)), row[4]])


def _candidate(one: Candidate) -> tuple[str, str, str, str, str]:
    return (
        str(one.points) if one.points is not None else "?",
        str(one.oom_score_adj) if one.oom_score_adj is not None else "?",
        size(one.held_bytes),
        f"{'*' if one.killed else ''}{one.pid}",
        visible(one.comm),
    )


def _enough(diagnosis: Diagnosis, tr: Translate, columns: int) -> Iterator[str]:
    for one in diagnosis.counterfactuals:
        yield from _wrapped(sentence(one.explanation, {"to": one.to, **one.parameters}, tr), columns, "  - ", "    ")
        yield f"      {one.arithmetic}"


def _advice(advice: Sequence[Advice], tr: Translate, columns: int) -> Iterator[str]:
    for number, one in enumerate(advice, 1):
        yield f"{number:2}. {tr(one.title)}  [{tr(SAFETY[one.safety])}]"
        yield from _wrapped(tr(one.text), columns, "    ")
        for command in one.commands:
            yield f"      {shown_command(command, tr)}"


def shown_command(command: str, tr: Translate) -> str:
    """A command line; a comment among them is translated."""
    if command.startswith("# ") and not command.startswith("#  "):
        return f"# {tr(command[2:])}"
    return visible(command)


def _ruled_out(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    for finding in diagnosis.findings:
        if finding.outcome.verdict is Verdict.RULED_OUT:
            because = "; ".join(evidence_line(evidence, tr) for evidence in finding.outcome.evidence)
            yield f"  {finding.rule}: {because}"


def _undecided(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    for finding in diagnosis.findings:
        if finding.outcome.verdict is Verdict.UNDECIDED:
            missing = visible(", ".join(finding.outcome.missing))
            yield "  " + tr("{rule}: not in the log: {names}").format(rule=finding.rule, names=missing)


def series_lines(series: Sequence[Series], tr: Translate) -> Iterator[str]:
    """What was hit how often, from when to when, how it grew."""
    if sum(one.count for one in series) < 2:
        return
    for one in series[:20]:
        every = (
            tr("about every {duration}").format(duration=duration(one.interval_seconds)) if one.interval_seconds else ""
        )
        span = f"{one.first_time or '?'} … {one.last_time or '?'}" if one.count > 1 else one.first_time or ""
        grown = f"{size(one.held_bytes[0])} → {size(one.held_bytes[-1])}" if len(one.held_bytes) > 1 else ""
        cells = (f"{one.count:5} x", visible(one.subject), visible(one.host or ""), span, every, grown)
        yield "  " + "  ".join(cell for cell in cells if cell)


def cluster_lines(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    """Shortages that took several victims."""
    for one in clusters(diagnosis.incident.others)[:10]:
        where = f"{visible(one.host)}: " if one.host else ""
        told = tr("{count} incidents within {duration}, from {time}: one shortage, several victims")
        yield "  " + where + told.format(count=one.count, duration=duration(one.seconds), time=one.first_time)


def _more(diagnosis: Diagnosis, tr: Translate) -> Iterator[str]:
    report = diagnosis.incident.report
    causes = found(diagnosis.findings)
    if causes:
        yield f"  oomlens manual {causes[0].rule}    " + tr("the whole page of this cause")
    yield f"  oomlens plan --incident {report.id}    " + tr("the changes, sized, with their undo; nothing is done yet")
    yield f"  oomlens scan --show {report.id}    " + tr("everything that was decoded")
    yield f"  oomlens diagnose --incident {report.id} --format html > report.html    " + tr(
        "a page to share; add --redact"
    )


def _wrapped(text: str, columns: int, first: str, rest: str | None = None) -> list[str]:
    """Lines of at most so many columns; Japanese has no blanks to break at, so it is broken anywhere."""
    follow = first if rest is None else rest
    lines, current, used = [], first, width(first)
    for word in _words(text):
        if used + width(word) > columns and current.strip():
            lines.append(current.rstrip())
            current, used, word = follow, width(follow), word.lstrip()
        current += word
        used += width(word)
    return [*lines, current.rstrip()]


def _words(text: str) -> Iterator[str]:
    """Pieces that are not broken: words with the blank in front of them; single wide characters."""
    piece = ""
    for character in text:
        if character == " " or ord(character) > 0x2E7F:
            if piece:
                yield piece
            piece = character
        elif piece and ord(piece[-1]) > 0x2E7F:
            yield piece
            piece = character
        else:
            piece += character
    if piece:
        yield piece
