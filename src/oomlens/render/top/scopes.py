"""The top of the screen: how far off the next kill is, and who it would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import Translate
from oomlens.predict.view import ScopeRow
from oomlens.render.sizes import short_size
from oomlens.render.top.styled import Line, Span, Tone, bar, cell
from oomlens.render.top.words import distance, eta_text, fate_text, percent, person, scope_name, urgency

# What makes a kill worse than the loss of one program.
_GRAVE = frozenset({"critical", "service", "innocent"})


def scope_lines(scopes: Sequence[ScopeRow], tr: Translate, columns: int, most: int) -> list[Line]:
    """A heading, the machine, and the most urgent cgroups."""
    name, left, share, gauge, victim = _widths(columns)
    head = (
        Span(
            " ".join(
                (
                    cell(tr("NEXT KILL"), name),
                    cell(tr("LEFT"), left, right=True),
                    cell("", share),
                    cell("", gauge),
                    cell(tr("NEXT VICTIM"), victim),
                    tr("WHEN"),
                )
            ),
            Tone.HEAD,
        ),
    )
    shown = scopes[:most]
    lines = [head, *(_line(row, tr, columns) for row in shown)]
    more = len(scopes) - len(shown)
    if more > 0:
        lines[0] = _with_more(head, tr("+{count} more").format(count=more), columns)
    return lines


def _with_more(head: Line, text: str, columns: int) -> Line:
    room = columns - len(text) - 1
    return (Span(cell(head[0].text, room), Tone.HEAD), Span(f" {text}", Tone.DIM))


def _widths(columns: int) -> tuple[int, int, int, int, int]:
    """name, left, share, bar, victim; the rest says when."""
    more = max(0, columns - 80)
    return 17 + min(15, more // 4), 6, 5, 6 + min(20, more // 4), 21 + min(15, more // 4)


def _line(row: ScopeRow, tr: Translate, columns: int) -> Line:
    name, left, share, gauge, victim = _widths(columns)
    tone = urgency(row)
    used = None if row.left_share is None else 1 - row.left_share
    spans = [
        Span(cell(scope_name(row.prediction, tr), name), Tone.STRONG),
        Span(" " + cell(distance(row.prediction.distance_bytes), left, right=True), tone),
        Span(" " + cell(percent(_positive(row.left_share)), share, right=True), tone),
        Span(" " + bar(used, gauge), tone),
        *_victim(row, tone, tr, victim),
    ]
    room = columns - (name + left + share + gauge + victim + 5)
    if row.eta is not None:
        text = eta_text(row.eta, tr)
        spans.append(Span(" " + cell(text if len(text) <= room else text.partition(" (")[0], max(0, room)), tone))
    else:
        spans.append(Span(" " + cell(tr("no trend"), max(0, room)), Tone.DIM))
    return tuple(spans)


def _positive(share: float | None) -> float | None:
    return None if share is None else max(0.0, share)


def _victim(row: ScopeRow, tone: Tone, tr: Translate, room: int) -> Iterator[Span]:
    prediction, victim = row.prediction, row.victim
    if victim is None:
        unknown = not prediction.candidates and prediction.gaps
        yield Span(" " + cell("?" if unknown else fate_text(prediction.fate, tr), room), Tone.WARN)
        return
    grave = any(warn.kind in _GRAVE for warn in prediction.warnings)
    text = ("! " if grave else "") + person(victim.comm, victim.pid)
    if prediction.group_processes is not None and prediction.group_processes > 1:
        text += f" +{prediction.group_processes - 1}"
    size = short_size(victim.points_bytes)
    second = prediction.candidates[1] if prediction.certain is False else None
    if second is not None:
        text += " " + tr("or {name}").format(name=person(second.comm, second.pid))
    elif len(text) + 1 + len(size) <= room:
        text += f" {size}"
    press = f"process:{victim.pid}"
    yield Span(" ", Tone.PLAIN)
    calm = Tone.WARN if grave else Tone.STRONG
    yield Span(cell(text, room), calm if tone in (Tone.GOOD, Tone.DIM) else tone, press)
