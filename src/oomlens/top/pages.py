"""Whole-screen pages of text: help, what is unknown, the diagnosis of a kill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from oomlens.diagnose.page import diagnosis_of
from oomlens.diagnose.series import all_series
from oomlens.i18n import Translate
from oomlens.model.finding import Incident
from oomlens.model.report import Report
from oomlens.render import diagnosis
from oomlens.render.top.bars import key_line, page_keys
from oomlens.render.top.styled import Line, Span, Tone, wrapped
from oomlens.top.lines import LinesPane, TextPane

Compose = Callable[[int], list[Line]]


class Page(Screen[None]):
    """compose_lines: the text for a width."""

    BINDINGS = [Binding("escape,q,question_mark,f1,enter,left,h", "back", show=False)]  # noqa: RUF012 - Textual's way
    DEFAULT_CSS = "Page TextPane { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }"

    def __init__(self, compose_lines: Compose, tr: Translate) -> None:
        super().__init__()
        self._compose_lines = compose_lines
        self._tr = tr

    def compose(self) -> ComposeResult:
        yield LinesPane(id="alarm")
        yield TextPane(id="text")
        yield LinesPane(id="page-keys")

    def on_mount(self) -> None:
        self.query_one("#text").focus()

    def on_resize(self) -> None:
        width = self.app.size.width
        self.query_one("#text", TextPane).show(self._compose_lines(max(20, width - 3)))
        self.query_one("#page-keys", LinesPane).show([key_line(page_keys(self._tr), width)])

    def alarm(self, line: Line) -> None:
        """A kill while somebody reads."""
        self.query_one("#alarm", LinesPane).show([line])

    def press(self, what: str) -> None:
        """A key of the line at the bottom was clicked."""
        text = self.query_one("#text", TextPane)
        deeds = {"back": self.action_back, "down": text.action_page_down, "end": text.action_scroll_end}
        if what in deeds:
            deeds[what]()

    def action_back(self) -> None:
        """Back to the tables."""
        self.dismiss()


def diagnosis_page(report: Report, others: Sequence[Report], tr: Translate) -> Compose:
    """The page of `oomlens diagnose` for a kill that was seen."""
    found, series = diagnosis_of(Incident(report, tuple(others))), all_series(others)

    def compose(columns: int) -> list[Line]:
        lines: list[Line] = []
        text = diagnosis.render(found, series, tr, columns=columns)
        before = ""
        for line in text.splitlines():
            title = not before and line[:1] not in ("", " ")
            hang = len(line) - len(line.lstrip())
            tone = Tone.HEAD if title else Tone.PLAIN
            lines += wrapped(line.lstrip(), columns, indent=" " * hang, tone=tone) if line else [(Span(""),)]
            before = line
        return lines

    return compose
