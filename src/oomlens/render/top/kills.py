"""Kills: the line that announces the latest, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oomlens.i18n import Translate
from oomlens.model.report import Report, Scope
from oomlens.predict.incidents import Incidents, Kill
from oomlens.render import facts
from oomlens.render.facts import short_name
from oomlens.render.sanitize import visible, width
from oomlens.render.sizes import short_size
from oomlens.render.top.columns import Column, Row
from oomlens.render.top.styled import Line, Span, Tone, cell

# Seconds of the epoch -> `2026-01-02 03:04:05` on this machine; None is now.
Clock = Callable[[float | None], str]


def kill_columns(tr: Translate) -> tuple[Column, ...]:
    """As `oomlens scan` has them, the newest first."""
    return (
        Column("time", tr("TIME"), 11, right=False, sorts=False),
        Column("victim", tr("VICTIM"), 22, right=False, sorts=False),
        Column("size", tr("SIZE"), 6, sorts=False),
        Column("where", tr("SCOPE"), 17, right=False, sorts=False, gives_way=1),
        Column("cause", tr("CAUSE"), 14, right=False, sorts=False, rest=True),
    )


def kill_row(kill: Kill, clock: Clock, columns: Sequence[Column], tr: Translate) -> Row:
    """The cells of these columns."""
    cells = {"time": _when(kill, clock), "victim": "?", "size": "?", "where": visible(kill.path or "?")}
    if kill.report is not None:
        cells |= _told(kill.report, tr)
    else:
        cells["victim"] = counted(kill, tr)
        cells["cause"] = tr("only counted: no log says more")
    tone = Tone.DIM if kill.before else Tone.BAD if kill.report is not None else Tone.WARN
    return Row(f"kill:{kill.number}", tuple(Span(cells[column.key]) for column in columns), tone)


def _when(kill: Kill, clock: Clock) -> str:
    """The time of the day, for today's; else the date with it. The kernel's own time where there is one."""
    known = kill.report.time if kill.report is not None else None
    stamp = known or clock(kill.at)
    return stamp[11:19] if stamp[:10] == clock(None)[:10] else f"{stamp[5:10]} {stamp[11:16]}"


def _told(report: Report, tr: Translate) -> dict[str, str]:
    return {
        "victim": facts.who(report, tr),
        "size": short_size(facts.how_much(report), "-"),
        "where": _where(report, tr),
        "cause": facts.cause_line(report, tr),
    }


def _where(report: Report, tr: Translate) -> str:
    """The cgroup whose limit was reached, else the scope."""
    names = report.oom_memcg_names or report.task_memcg_names
    return short_name(names) if report.scope is Scope.MEMCG and names is not None else facts.where(report, tr)


def counted(kill: Kill, tr: Translate) -> str:
    """How many were counted."""
    return tr("{count} by counter").format(count=kill.kills)


def kill_line(incidents: Incidents, clock: Clock, source: str, tr: Translate, columns: int) -> Line:
    """The latest kill, else where they are looked for. source: what is followed, in words."""
    kill = incidents.latest
    if kill is None and not incidents.kills:
        return (Span(cell(tr("no kill is known") + f"; {source}", columns), Tone.DIM),)
    latest = kill or incidents.kills[-1]
    press = f"kill:{latest.number}"
    key = Span(" " + tr("o: why") + " ", Tone.CHOSEN, press) if latest.report is not None else Span("")
    tone, more = Tone.ALARM, f" ({incidents.seen})" if incidents.seen > 1 else ""
    told = tr("KILLED {what}").format(what=_what(latest, tr))
    if kill is None:
        tone, more = Tone.WARN, ""
        told = tr("before the start: {what}").format(what=_what(latest, tr))
    head = f" {_when(latest, clock)} "
    room = max(0, columns - width(head) - width(key.text) - width(more))
    return (Span(head + cell(told, room) + more, tone, press), key)


def _what(kill: Kill, tr: Translate) -> str:
    if kill.report is None:
        if kill.path is None:
            return tr("{count}, where is not known").format(count=kill.kills)
        return tr("{count} in {path}").format(count=kill.kills, path=visible(kill.path))
    parts = (facts.who(kill.report, tr), short_size(facts.how_much(kill.report), ""), _where(kill.report, tr))
    return "  ".join([*(part for part in parts if part), facts.cause_line(kill.report, tr)])
