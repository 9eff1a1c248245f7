"""`oomlens guard log`: what the guard did and why, a few lines for each decision, one for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import Translate
from oomlens.model.guard_event import Candidate, GuardEvent
from oomlens.render import guard_words as words
from oomlens.render.columns import aligned
from oomlens.render.sanitize import fit, width
from oomlens.render.sentences import sentence

_MOST_OTHERS = 3


def render_event(event: GuardEvent, following: Sequence[GuardEvent] | None, tr: Translate) -> str:
    """The text of an event. following: what came of a decision; None where that is told later."""
    if event.kind == "decided":
        return "\n".join(_decision(event, following, tr)) + "\n"
    return _headed(event, tr, what_happened(event, tr)) + "\n"


def what_happened(event: GuardEvent, tr: Translate) -> str:
    """One line about an event, without when and where."""
    templates = {
        "started": tr("the guard started"),
        "stopped": tr("the guard stopped"),
        "reloaded": tr("the configuration was read again"),
        "reload-refused": tr("the new configuration was refused; the old one stays"),
        "warned": tr("warning: memory will run out soon"),
        "recovered": tr("memory is back"),
        "stepped": tr("step: {step}"),
        "undone": tr("taken back: {step}"),
        "decided": tr("{road}: {signal} to {victim}"),
        "signalled": tr("SIG{signal_name} to {victim}"),
        "gone": tr("{victim} is gone"),
        "stuck": tr("{victim} does not end"),
        "held-back": tr("nobody was killed"),
        "kernel-killed": tr("the kernel killed before the guard did"),
        "failed": tr("something did not work"),
    }
    told = sentence(
        templates.get(event.kind) or "{kind}",
        {
            "kind": event.kind,
            "road": words.road(event.road, tr),
            "signal": f"SIG{event.signal or '?'}",
            "signal_name": event.signal,
            "victim": words.called(event.victim),
            "step": _step(event),
        },
        lambda template: template,
    )
    return " ".join([told, *_more(event, tr)])


def _more(event: GuardEvent, tr: Translate) -> Iterator[str]:
    """What is known beyond the words of an event."""
    if event.after_ms is not None:
        yield tr("after {time}").format(time=words.span(event.after_ms / 1000))
    if event.freed_kb is not None:
        yield f"({tr('{size} freed').format(size=words.kilobytes(event.freed_kb))})"
    if event.kind in ("warned", "recovered", "held-back", "kernel-killed") and event.sample:
        shown = words.pairs(event.sample, ("available_kb", "swap_free_kb", "fill_kb_per_second", "seconds_left"), tr)
        yield f"({shown})" if shown else ""
    told = ": ".join(words.name(text) for text in (event.reason, event.detail) if text)
    if told:
        yield f"- {told}"


def _step(event: GuardEvent) -> str:
    parts = (event.step.get("do"), event.step.get("cgroup"))
    return " ".join(words.name(str(part)) for part in parts if part)


def _headed(event: GuardEvent, tr: Translate, told: str) -> str:
    where = f" [{words.name(event.scope)}]" if event.scope else ""
    dry = f" ({tr('dry run')})" if event.dry_run else ""
    return f"{words.moment(event.time_seconds)}{where}{dry} {told}"


def _decision(event: GuardEvent, following: Sequence[GuardEvent] | None, tr: Translate) -> Iterator[str]:
    yield _headed(event, tr, what_happened(event, tr))
    because = "; ".join(words.comparison(bound, tr) for bound in event.evidence)
    rows = [(tr("because"), because or "?")]
    if event.victim is not None:
        rows.append((tr("chosen"), _chosen(event, event.victim, tr)))
        if event.victim.cmdline:
            rows.append((tr("command"), words.name(event.victim.cmdline)))
    pid = event.victim.pid if event.victim is not None else None
    others = [who for who in event.candidates if who.pid != pid]
    if others:
        told = "; ".join(_ranked(who, tr) for who in others[:_MOST_OTHERS])
        rows.append((tr("not chosen"), told + _rest(len(others), tr)))
    if event.passed_over:
        told = "; ".join(
            f"{words.name(who.comm)}[{'?' if who.pid is None else who.pid}]: {words.name(who.why)}"
            for who in event.passed_over[:_MOST_OTHERS]
        )
        rows.append((tr("passed over"), told + _rest(len(event.passed_over), tr)))
    if following is not None and not event.dry_run:
        came = "; ".join(what_happened(one, tr) for one in following)
        rows.append((tr("then"), came or tr("nothing is known")))
    columns = max(width(label) for label, _ in rows)
    for label, told in rows:
        yield f"  {fit(label, columns)}  {told}"


def _rest(count: int, tr: Translate) -> str:
    return "; " + tr("{count} more").format(count=count - _MOST_OTHERS) if count > _MOST_OTHERS else ""


def _chosen(event: GuardEvent, who: Candidate, tr: Translate) -> str:
    parts = [words.called(who)]
    if event.object not in (None, "process"):
        whole = tr("with its whole {object}, {count} processes: {cgroup}")
        parts.append(
            whole.format(
                object=words.name(event.object),
                count="?" if event.processes is None else event.processes,
                cgroup=words.name(event.target_cgroup),
            )
        )
    if who.uid is not None:
        parts.append(f"uid {who.uid}")
    if who.rss_kb is not None:
        parts.append(tr("{size} in memory").format(size=words.kilobytes(who.rss_kb)))
    if who.swap_kb:
        parts.append(tr("{size} in swap").format(size=words.kilobytes(who.swap_kb)))
    if who.growth_kb_per_second is not None:
        parts.append(tr("grows by {rate}").format(rate=words.rate(who.growth_kb_per_second)))
    place = who.container or who.unit or who.cgroup
    if place:
        parts.append(tr("in {place}").format(place=words.name(place)))
    return f"{', '.join(parts)}; {_terms(who, tr)}"


def _terms(who: Candidate, tr: Translate) -> str:
    told = tr("{points} points").format(points=words.points(who.points))
    terms = ", ".join(f"{words.name(term.name)} {words.points(term.points)}" for term in who.terms)
    return f"{told} ({terms})" if terms else told


def _ranked(who: Candidate, tr: Translate) -> str:
    return f"{words.called(who)} {_terms(who, tr)}"


def render_ranking(candidates: Sequence[Candidate], tr: Translate) -> list[str]:
    """Candidates as a table, the first one first."""
    head = (tr("points"), "PID", tr("name"), "RSS", tr("swap"), tr("growth"), tr("where"))
    rows = [
        (
            words.points(who.points),
            "?" if who.pid is None else str(who.pid),
            words.name(who.comm),
            words.kilobytes(who.rss_kb),
            words.kilobytes(who.swap_kb),
            words.rate(who.growth_kb_per_second),
            words.name(who.container or who.unit or who.cgroup),
        )
        for who in candidates
    ]
    return aligned([head, *rows], right=(0, 1, 3, 4, 5))
