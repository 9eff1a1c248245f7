"""The tree of cgroups against their limits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oomlens.i18n import Translate
from oomlens.predict.view import CgroupRow
from oomlens.render.facts import short_name
from oomlens.render.sizes import change, short_size
from oomlens.render.top.columns import Column, Row
from oomlens.render.top.processes import growth_tone
from oomlens.render.top.styled import Span, Tone
from oomlens.render.top.words import distance, percent, person

# Shares of the limit that reclaim cannot free, from which on a cgroup is worth a colour.
_FULL_SHARE, _HIGH_SHARE = 0.9, 0.75


def cgroup_columns(tr: Translate) -> tuple[Column, ...]:
    """The name first, for it is a tree."""
    return (
        Column("name", tr("CGROUP"), 20, right=False, rest=True),
        Column("used", tr("USED"), 6),
        Column("limit", tr("LIMIT"), 7, sorts=False),
        Column("share", "%", 5),
        Column("held", tr("HELD"), 6),
        Column("swap", tr("SWAP"), 6, gives_way=1),
        Column("growth", tr("GROWTH/s"), 8, gives_way=4),
        Column("left", tr("LEFT"), 6),
        Column("max", tr("MAX"), 5, sorts=False, gives_way=2),
        Column("kills", tr("KILLS"), 5),
        Column("pressure", tr("STALL"), 6, sorts=False, gives_way=5),
        Column("victim", tr("NEXT VICTIM"), 22, right=False, sorts=False, gives_way=6),
    )


def cgroup_row(row: CgroupRow, columns: Sequence[Column], closed: Collection[str]) -> Row:
    """The cells of these columns."""
    return Row(row.usage.path, tuple(_cell(row, column.key, closed) for column in columns), _tone(row))


def _tone(row: CgroupRow) -> Tone:
    held, limit = row.held_bytes, row.usage.max_bytes
    if held is None or not limit:
        return Tone.PLAIN
    return Tone.BAD if held >= limit * _FULL_SHARE else Tone.WARN if held >= limit * _HIGH_SHARE else Tone.PLAIN


def _cell(row: CgroupRow, key: str, closed: Collection[str]) -> Span:
    usage = row.usage
    if key == "name":
        mark = " " if not row.children else "+" if usage.path in closed else "-"
        return Span(f"{'  ' * row.depth}{mark} {short_name(usage.names)}")
    if key == "used":
        return Span(short_size(usage.current_bytes))
    if key == "limit":
        return _limit(row)
    if key == "share":
        return Span("-" if row.limit_bytes is None else percent(row.share), Tone.DIM if row.inherited else Tone.PLAIN)
    if key == "held":
        return Span(short_size(row.held_bytes))
    if key == "swap":
        return Span(short_size(usage.swap_current_bytes))
    if key == "growth":
        return Span(change(row.growth), growth_tone(row.growth))
    if key == "left":
        return Span("-" if usage.max_bytes is None else distance(row.left_bytes))
    if key == "max":
        return Span(count(usage.events.get("max" if usage.version == 2 else "failcnt")))
    if key == "kills":
        kills = usage.events.get("oom_kill")
        return Span(count(kills), Tone.BAD if kills else Tone.PLAIN)
    if key == "pressure":
        some = usage.pressure.some if usage.pressure is not None else None
        return Span("?" if some is None else f"{some.avg10_percent:.1f} %")
    return Span(_victim(row))


def _victim(row: CgroupRow) -> str:
    return person(row.victim.comm, row.victim.pid) if row.victim is not None else ""


def _limit(row: CgroupRow) -> Span:
    """Its own; one that is inherited in dim; a dash where there is none."""
    if row.limit_bytes is not None:
        return Span(short_size(row.limit_bytes), Tone.DIM if row.inherited else Tone.PLAIN)
    none = "memory" in row.usage.unlimited or row.depth == 0
    return Span("-" if none else "?", Tone.DIM)


def count(value: int | None) -> str:
    """A count of events in 5 columns: 12345 -> `12345`, 1234567 -> `1.2M`."""
    if value is None:
        return "?"
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if value >= 10**power and value >= 100_000:
            amount = value / 10**power
            return f"{amount:.0f}{unit}" if amount >= 100 else f"{amount:.1f}{unit}"
    return str(value)
