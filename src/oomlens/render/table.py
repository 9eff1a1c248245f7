"""The table for people: one incident a row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from oomlens.i18n import Translate
from oomlens.model.report import Kind, Report
from oomlens.render import facts
from oomlens.render.sanitize import fit, visible, width
from oomlens.render.sizes import size

Row = tuple[str, ...]


def headings(tr: Translate) -> Row:
    return (
        tr("ID"), tr("TIME"), tr("HOST"), tr("VICTIM"), tr("SIZE"), tr("SCOPE"), tr("LIMIT"), tr("CAUSE"),
    )  # fmt: skip


def row(report: Report, tr: Translate) -> Row:
    """The cells of one incident, safe to print."""
    return (
        report.id,
        when(report),
        visible(report.host or "-"),
        facts.who(report, tr),
        size(facts.how_much(report), "-"),
        facts.where(report, tr),
        size(facts.limit(report), "-"),
        facts.cause_line(report, tr),
    )


def when(report: Report) -> str:
    """The wall-clock time to the second as the log has it, else the uptime, else a dash."""
    if report.time is not None:
        return report.time[:19].replace("T", " ") + ("Z" if report.time.endswith("+00:00") else report.time[-6:])
    if report.uptime_seconds is not None:
        return f"[{report.uptime_seconds:.6f}]"
    return "-"


def ordered(reports: Sequence[Report]) -> list[Report]:
    """By time, those without one last, in the order found."""
    known = [report for report in reports if report.time is not None]
    known.sort(key=lambda report: datetime.fromisoformat(report.time or ""))
    return known + [report for report in reports if report.time is None]


def grouped(reports: Sequence[Report]) -> list[tuple[Report, int]]:
    """(report, how many like it): a program that runs out of its own memory says so a thousand times, and is one row."""
    places: dict[tuple[object, ...], int] = {}
    found: list[tuple[Report, int]] = []
    for report in reports:
        key = (
            (report.killer, report.host, report.details.get("kind"))
            if report.kind is Kind.APPLICATION
            else (id(report),)
        )
        if key in places:
            first, count = found[places[key]]
            found[places[key]] = first, count + 1
        else:
            places[key] = len(found)
            found.append((report, 1))
    return found


def rows(reports: Sequence[Report], tr: Translate) -> list[Row]:
    """The cells of all rows, by time."""
    found: list[Row] = []
    for report, count in grouped(ordered(reports)):
        cells = row(report, tr)
        found.append(
            (*cells[:-1], tr("{text} ({count} times)").format(text=cells[-1], count=count)) if count > 1 else cells
        )
    return found


def render(reports: Sequence[Report], tr: Translate, *, bold: bool = False) -> str:
    """Aligned columns, never cut; one line an incident. bold: headings and victims in bold, for a terminal."""
    lines_of_cells = [headings(tr), *rows(reports, tr)]
    widths = [max(width(cells[column]) for cells in lines_of_cells) for column in range(len(lines_of_cells[0]))]
    lines: list[str] = []
    for number, cells in enumerate(lines_of_cells):
        parts = [fit(cell, columns) for cell, columns in zip(cells[:-1], widths[:-1], strict=True)]
        if bold and number > 0:
            parts[3] = f"\x1b[1m{parts[3]}\x1b[0m"
        line = "  ".join([*parts, cells[-1]]).rstrip()
        lines.append(f"\x1b[1m{line}\x1b[0m" if bold and number == 0 else line)
    return "\n".join(lines) + "\n"
