"""The bars: which table is shown and how it is sorted, and which keys there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.i18n import Translate
from oomlens.render.sanitize import visible, width
from oomlens.render.top.styled import Line, Span, Tone, cell, line_width

PANES = ("processes", "cgroups", "kills")


class Counts(NamedTuple):
    """How many rows each table has."""

    processes: int
    cgroups: int
    kills: int


def pane_titles(tr: Translate) -> dict[str, str]:
    """What the tables are called."""
    return {"processes": tr("processes"), "cgroups": tr("cgroups"), "kills": tr("kills")}


def sort_titles(tr: Translate) -> dict[str, str]:
    """What the tables are sorted by."""
    return {
        "adj": "oom_score_adj",
        "badness": tr("badness"),
        "growth": tr("growth"),
        "held": tr("held"),
        "kills": tr("kills"),
        "left": tr("distance to the next kill"),
        "name": tr("name"),
        "pid": "PID",
        "pss": "PSS",
        "rss": "RSS",
        "share": tr("share of the limit"),
        "swap": tr("swap"),
        "used": tr("used"),
    }


def tab_line(
    shown: str,
    counts: Counts,
    sort: str | None,
    *,
    reverse: bool,
    text: str,
    gap: str | None,
    tr: Translate,
    columns: int,
) -> Line:
    """The tables with their keys; sort, filter, and what cannot be seen."""
    titles = pane_titles(tr)
    spans: list[Span] = []
    for number, pane in enumerate(PANES, start=1):
        tone = Tone.CHOSEN if pane == shown else Tone.DIM
        spans.append(Span(f" {number} {titles[pane]} ({counts[number - 1]}) ", tone, f"pane:{pane}"))
    state: list[Span] = []
    if sort is not None:
        arrow = "^" if reverse else ""
        state.append(Span("  " + tr("by {sort}").format(sort=sort_titles(tr)[sort]) + arrow, Tone.PLAIN, "sort"))
    if text:
        state.append(Span("  " + tr("filter: {text}").format(text=visible(text)), Tone.WARN, "filter"))
    if gap is not None:
        state.append(Span(f"  ? {gap}", Tone.WARN, "gaps"))
    room = columns - line_width(spans)
    for span in state:
        if room <= 4:
            break
        spans.append(span._replace(text=cell(span.text, min(room, width(span.text)))))
        room -= width(spans[-1].text)
    return tuple(spans)


class Key(NamedTuple):
    """A key as it is shown, what it does in words, and the action's name."""

    shown: str
    does: str
    press: str


def key_line(keys: Sequence[Key], columns: int) -> Line:
    """As many as fit, in order of importance."""
    spans: list[Span] = []
    room = columns
    for key in keys:
        needed = width(key.shown) + width(key.does) + 3
        if needed > room + 1:
            continue
        spans += [Span(f" {key.shown}", Tone.CHOSEN, key.press), Span(f" {key.does} ", Tone.DIM, key.press)]
        room -= needed
    return tuple(spans)


def main_keys(pane: str, *, detailed: bool, kills: bool, tr: Translate) -> list[Key]:
    """The keys of the main screen; the first ones are always there."""
    keys = [
        Key("q", tr("quit"), "quit"),
        Key("?", tr("help"), "help"),
        Key("Enter", tr("why") if pane == "kills" else tr("close") if detailed else tr("details"), "open"),
        Key("/", tr("filter"), "filter"),
        Key("n", tr("next victim"), "victim"),
    ]
    if kills:
        keys.insert(2, Key("o", tr("latest kill"), "latest"))
    if pane != "kills":
        keys.append(Key("s", tr("sort"), "sort"))
    if pane == "cgroups":
        keys.append(Key("e", tr("open all"), "expand"))
    return [
        *keys,
        Key("p", tr("pause"), "pause"),
        Key("u", tr("unknown"), "gaps"),
        Key("Tab", tr("table"), "pane:next"),
    ]


def page_keys(tr: Translate) -> list[Key]:
    """The keys of a page of text."""
    return [Key("Esc q", tr("back"), "back"), Key("j k", tr("scroll"), "down"), Key("g G", tr("top, end"), "end")]


def filter_keys(tr: Translate) -> list[Key]:
    """The keys while a filter is typed."""
    return [Key("Enter", tr("show only these"), "filter:keep"), Key("Esc", tr("show all"), "escape")]
