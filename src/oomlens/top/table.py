"""A table that draws only what changed, keeps its place by key, and asks only for the rows that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from oomlens.render.top.columns import GAP, Column, Row, fitting
from oomlens.render.top.styled import Span, Tone, cell
from oomlens.top.style import CURSOR, strip_of

Make = Callable[[int], Row]
_UNFOCUSED = Style(bold=True)


class RowTable(ScrollView, can_focus=True):
    """Columns that fit the width; a heading that stays; a chosen row."""

    ALLOW_SELECT = False
    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1.0)", show=False),
        Binding("pageup,ctrl+b", "page(-1.0)", show=False),
        Binding("ctrl+d", "page(0.5)", show=False),
        Binding("ctrl+u", "page(-0.5)", show=False),
        Binding("home,g", "end(0)", show=False),
        Binding("end,G", "end(-1)", show=False),
    ]

    class Moved(Message):
        """Another row was chosen, or other rows can be seen."""

    class Opened(Message):
        """The chosen row was clicked once more."""

    class Heading(Message):
        """A heading was clicked."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, id: str, columns: Sequence[Column]) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._all = columns
        self._fitted: tuple[int, list[tuple[Column, int]]] = (0, [])  # for a width
        self._keys: list[str] = []
        self._make: Make = _no_rows
        self._drawn: dict[int, tuple[Row | None, bool]] = {}
        self._sorted: str | None = None
        self._empty = ""
        self.place = 0

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """Those that fit, with their widths."""
        if self._fitted[0] != self.size.width:
            self._fitted = self.size.width, fitting(self._all, max(1, self.size.width))
        return self._fitted[1]

    @property
    def chosen(self) -> str | None:
        """The key of the chosen row."""
        return self._keys[self.place] if self.place < len(self._keys) else None

    def visible_keys(self) -> list[str]:
        """The keys of the rows that can be seen."""
        first = round(self.scroll_y)
        return self._keys[first : first + max(0, self.size.height - 1)]

    def show(self, keys: list[str], make: Make, *, sorted_by: str | None, empty: str, follow: bool) -> None:
        """make: the row at a place. follow: the chosen row stays chosen wherever it goes; else the first one stays first."""
        held = self.chosen
        count_before, self._keys, self._make, self._empty = len(self._keys), keys, make, empty
        if held is not None and (follow or self.place > 0) and held in keys:
            self.place = keys.index(held)
        else:
            self.place = max(0, min(self.place, len(keys) - 1))
        if sorted_by != self._sorted:
            self._sorted = sorted_by
            self.refresh(Region(0, 0, self.size.width, 1))
        if len(keys) != count_before:
            self.virtual_size = Size(0, len(keys) + 1)
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        width = self.size.width
        for y in range(1, self.size.height):
            place = round(self.scroll_y) + y - 1
            if self._drawn.get(y) != self._content(place):
                self.refresh(Region(0, y, width, 1))

    def _content(self, place: int) -> tuple[Row | None, bool]:
        row = self._make(place) if 0 <= place < len(self._keys) else None
        return row, place == self.place

    def choose(self, key: str) -> bool:
        """Chooses the row with this key; False where there is none."""
        if key not in self._keys:
            return False
        self._go(self._keys.index(key))
        return True

    def _go(self, place: int) -> None:
        self.place = max(0, min(place, len(self._keys) - 1))
        rows = max(1, self.size.height - 1)
        first = round(self.scroll_y)
        if self.place < first:
            self.scroll_to(y=self.place, animate=False)
        elif self.place >= first + rows:
            self.scroll_to(y=self.place - rows + 1, animate=False)
        self._refresh_changed()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Down or up."""
        self._go(self.place + by)

    def action_page(self, pages: float) -> None:
        """Pages down or up."""
        self._go(self.place + round(pages * max(1, self.size.height - 2)))

    def action_end(self, place: int) -> None:
        """The first or the last row."""
        self._go(place if place >= 0 else len(self._keys) - 1)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return strip_of(self._heading(), width)
        if not self._keys and y == 1:
            return strip_of((Span(f" {self._empty}", Tone.DIM),), width)
        content = self._content(round(self.scroll_y) + y - 1)
        self._drawn[y] = content
        row, is_chosen = content
        if row is None:
            return strip_of((), width)
        if not is_chosen:
            return strip_of(self._cells(row), width)
        return strip_of(self._cells(row, plain=True), width, CURSOR if self.has_focus else _UNFOCUSED)

    def _heading(self) -> list[Span]:
        spans: list[Span] = []
        for column, columns in self.columns:
            tone = Tone.CHOSEN if column.key == self._sorted else Tone.HEAD
            spans += [Span(cell(column.title, columns, right=column.right), tone), Span(" " * GAP, Tone.HEAD)]
        return spans[:-1]

    def _cells(self, row: Row, *, plain: bool = False) -> list[Span]:
        spans: list[Span] = []
        for (column, columns), value in zip(self.columns, row.cells, strict=False):
            tone = row.tone if plain or value.tone is Tone.PLAIN else value.tone
            spans += [Span(cell(value.text, columns, right=column.right), tone), Span(" " * GAP, tone)]
        return spans[:-1]

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        self._drawn.clear()
        self.refresh()

    def on_focus(self) -> None:
        self._drawn.clear()
        self.refresh()

    def on_blur(self) -> None:
        self._drawn.clear()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._click_heading(event.x)
            return
        place = round(self.scroll_y) + event.y - 1
        if place >= len(self._keys):
            return
        again = place == self.place and event.chain > 1
        self._go(place)
        if again:
            self.post_message(self.Opened())

    def _click_heading(self, x: int) -> None:
        for column, columns in self.columns:
            x -= columns + GAP
            if x < 0:
                if column.sorts:
                    self.post_message(self.Heading(column.key))
                return


def _no_rows(place: int) -> Row:
    raise IndexError(place)
