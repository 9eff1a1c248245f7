"""One screen's content as text, all rows, for `top --once`."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.i18n import Translate
from oomlens.predict.view import CgroupRow, ProcessRow, View
from oomlens.predict.watch import Watch
from oomlens.render.gaps import gap_lines
from oomlens.render.top.cgroups import cgroup_columns, cgroup_row
from oomlens.render.top.columns import Column, Row, fitting
from oomlens.render.top.processes import process_columns, process_row, urgencies
from oomlens.render.top.scopes import scope_lines
from oomlens.render.top.styled import cell, text_of
from oomlens.render.top.totals import totals_lines


def text_page(
    view: View,
    watch: Watch,
    processes: Sequence[ProcessRow],
    cgroups: Sequence[CgroupRow],
    tr: Translate,
    columns: int,
) -> str:
    """Scopes, totals, processes and cgroups, each line at most so many columns."""
    lines = [text_of(line) for line in scope_lines(view.scopes, tr, columns, len(view.scopes))]
    lines += ["", *(text_of(line) for line in totals_lines(view, watch, tr, columns, 1.0))]
    fitted = fitting(process_columns(tr), columns)
    shown = [column for column, _ in fitted]
    lines += ["", *_table(fitted, [process_row(row, shown, urgencies(view), commands=True) for row in processes])]
    if cgroups:
        fitted = fitting(cgroup_columns(tr), columns)
        shown = [column for column, _ in fitted]
        lines += ["", *_table(fitted, [cgroup_row(row, shown, ()) for row in cgroups])]
    gaps = list(gap_lines(view.snapshot.gaps, tr))
    return "\n".join(line.rstrip() for line in [*lines, *(["", *gaps] if gaps else [])]) + "\n"


def _table(fitted: Sequence[tuple[Column, int]], rows: Sequence[Row]) -> list[str]:
    titles = [" ".join(cell(column.title, columns, right=column.right) for column, columns in fitted)]
    return titles + [
        " ".join(
            cell(value.text, columns, right=column.right)
            for (column, columns), value in zip(fitted, row.cells, strict=True)
        )
        for row in rows
    ]
