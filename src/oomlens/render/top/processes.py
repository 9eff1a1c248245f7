"""The table of processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomlens.i18n import Translate
from oomlens.predict.view import ProcessRow, View
from oomlens.render.sanitize import visible
from oomlens.render.sizes import change, short_size
from oomlens.render.top.columns import Column, Row
from oomlens.render.top.styled import Span, Tone
from oomlens.render.top.words import cgroup_name, distance, urgency

# Growth from which on a process is worth a colour.
_GROWING_BYTES, _RACING_BYTES = 1 << 20, 16 << 20
MACHINE_MARK, CGROUP_MARK = ">>", " >"


def process_columns(tr: Translate) -> tuple[Column, ...]:
    """Numbers first: what changes stays together, and the name may take what is left."""
    return (
        Column("mark", "", 2, right=False, sorts=False),
        Column("pid", "PID", 7),
        Column("rss", "RSS", 6),
        Column("pss", "PSS", 6, gives_way=3),
        Column("swap", tr("SWAP"), 6),
        Column("growth", tr("GROWTH/s"), 8),
        Column("badness", tr("BADNESS"), 7),
        Column("adj", tr("ADJ"), 5, gives_way=2),
        Column("left", tr("LEFT"), 6, gives_way=1),
        Column("in", tr("IN"), 22, right=False, sorts=False, gives_way=4),
        Column("name", tr("NAME"), 15, right=False, rest=True),
    )


Urgencies = Mapping[str | None, Tone]


def urgencies(view: View) -> Urgencies:
    """How near the next kill of each scope is."""
    return {scope.prediction.path: urgency(scope) for scope in view.scopes}


def process_row(row: ProcessRow, columns: Sequence[Column], near: Urgencies, *, commands: bool) -> Row:
    """The cells of these columns. near: of all scopes; commands: the command line instead of the name alone."""
    values = {column.key: _cell(row, column.key, commands=commands) for column in columns}
    return Row(str(row.process.pid), tuple(values[column.key] for column in columns), _tone(row, near))


def _tone(row: ProcessRow, near: Urgencies) -> Tone:
    """A victim has the colour of its most urgent scope."""
    tones = {near.get(path, Tone.PLAIN) for path in row.next_in}
    for tone in (Tone.BAD, Tone.WARN):
        if tone in tones:
            return tone
    if row.next_in:
        return Tone.STRONG
    return Tone.DIM if row.spared else Tone.PLAIN


def _cell(row: ProcessRow, key: str, *, commands: bool) -> Span:
    process = row.process
    if key == "mark":
        return Span(MACHINE_MARK if None in row.next_in else CGROUP_MARK if row.next_in else "")
    if key == "pid":
        return Span(str(process.pid))
    if key == "rss":
        return Span(short_size(process.rss_bytes))
    if key == "pss":
        return Span(short_size(process.pss_bytes, "?"))
    if key == "swap":
        return Span(short_size(process.swap_bytes))
    if key == "growth":
        return Span(change(row.growth), growth_tone(row.growth))
    if key == "badness":
        return Span(badness(row))
    if key == "adj":
        return Span("?" if process.oom_score_adj is None else str(process.oom_score_adj))
    if key == "left":
        return Span(distance(row.left_bytes))
    if key == "in":
        return Span(cgroup_name(row.names, process.cgroup))
    command = " ".join(process.cmdline) if commands and process.cmdline else process.comm
    return Span(visible(command))


def badness(row: ProcessRow) -> str:
    """What the kernel compares, as bytes; `never` for what it spares."""
    if row.spared is not None:
        return "-"
    return short_size(row.suspect.points_bytes) if row.suspect is not None else "-"


def growth_tone(per_second: float | None) -> Tone:
    """Colour for what grows fast."""
    if per_second is None or abs(per_second) < 1:
        return Tone.DIM
    return Tone.BAD if per_second >= _RACING_BYTES else Tone.WARN if per_second >= _GROWING_BYTES else Tone.PLAIN
