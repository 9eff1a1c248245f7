"""Pages of text: help, and what could not be read."""

from __future__ import annotations

from oomlens.i18n import Translate
from oomlens.predict.view import View
from oomlens.render.gaps import gap_lines
from oomlens.render.sanitize import fit
from oomlens.render.top.styled import Line, Span, Tone, wrapped
from oomlens.render.top.words import scope_name

_KEY_COLUMNS = 16


def help_lines(tr: Translate, columns: int) -> list[Line]:
    """Keys, columns and marks."""
    lines: list[Line] = []
    for title, entries in _chapters(tr):
        if lines:
            lines.append(())
        lines.append((Span(title, Tone.HEAD),))
        for key, does in entries:
            for number, (span,) in enumerate(wrapped(does, max(20, columns - _KEY_COLUMNS - 2))):
                name = fit(f"  {key}", _KEY_COLUMNS) if number == 0 else " " * _KEY_COLUMNS
                lines.append((Span(name, Tone.STRONG), Span(span.text)))
    return lines


def _chapters(tr: Translate) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return (
        (
            tr("Keys"),
            (
                ("q Ctrl-C", tr("quit")),
                ("? F1", tr("this help")),
                ("1 2 3 Tab", tr("processes, cgroups, kills; the next of them")),
                ("j k g G", tr("down, up, top, end; arrows and page keys too")),
                ("Enter d", tr("details of the chosen row, beside or instead of the table; again: close them")),
                ("o", tr("why the latest kill happened; in the table of kills: Enter")),
                ("n", tr("go to the next victim of the machine, then of each cgroup")),
                ("s S r", tr("sort by the next column, the one before; turn the order round; or click a heading")),
                ("/ Esc", tr("show only rows with these words: name, command, pid, user, unit, container, pod; show all")),
                ("h l", tr("close, open a branch of the tree; arrows too")),
                ("e", tr("open the whole tree, or close it")),
                ("c", tr("command lines or names")),
                ("t", tr("length of the graphs")),
                ("+ - Space", tr("read less often, more often, now")),
                ("p", tr("pause: the screen stands still, kills are still noted")),
                ("u", tr("what is unknown, and why")),
            ),
        ),
        (
            tr("Columns"),
            (
                (">>  >", tr("the next victim of the machine; of a cgroup with a limit")),
                ("PSS", tr("memory with shared pages divided among those who share them; read for visible rows only")),
                (tr("GROWTH/s"), tr("resident and swapped, average of the last 30 seconds")),
                (tr("BADNESS"), tr("what the kernel compares: resident, swapped, page tables, and oom_score_adj; - is never chosen")),
                (tr("LEFT"), tr("how much more can be allocated until the kernel kills in the nearest scope that it is in")),
                (tr("HELD"), tr("what reclaim cannot simply drop: usage without page cache and reclaimable slab")),
                (tr("MAX"), tr("how often the limit was hit")),
                (tr("WHEN"), tr("at the trend of the last 2 minutes, with its range; nothing is said where there is no trend")),
                ("?", tr("not known; u says why")),
            ),
        ),
        (
            tr("Graphs"),
            (("", tr("From their smallest to their largest value; the last column is now. Nothing is killed or changed by this program.")),),
        ),
    )  # fmt: skip


def gap_page(view: View, source: str, tr: Translate, columns: int) -> list[Line]:
    """Everything that is unknown, with the reason; how kills are noticed."""
    lines: list[Line] = [(Span(tr("What is unknown, and why"), Tone.HEAD),), ()]
    told: list[str] = []
    for scope in view.scopes:
        told += gap_lines(scope.prediction.gaps, tr, indent=f"{scope_name(scope.prediction, tr)}: ")
    told += gap_lines(view.snapshot.gaps, tr)
    for text in told or [tr("nothing")]:
        lines += wrapped(text, columns)
    return [*lines, (), (Span(tr("Kills"), Tone.HEAD),), (), (Span(source),)]
