"""Widgets of styled lines: one that stands still, one that scrolls. Only lines that changed are drawn again."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from oomlens.render.top.styled import Line
from oomlens.top.style import pressed, strip_of


class Pressed(Message):
    """A part of a line was clicked. what: the span's `press`."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__()


class LinesPane(Widget):
    """Some lines, as high as there are."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "LinesPane { height: 0; }"

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.lines: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Draws what differs from what is there."""
        before, self.lines = self.lines, list(lines)
        if len(before) != len(lines):
            self.styles.height = len(lines)
            self.refresh()
            return
        width = self.size.width
        changed = [Region(0, y, width, 1) for y, line in enumerate(lines) if line != before[y]]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        return strip_of(self.lines[y] if y < len(self.lines) else (), self.size.width)

    def on_click(self, event: events.Click) -> None:
        what = pressed(self.lines[event.y], event.x) if event.y < len(self.lines) else None
        if what:
            self.post_message(Pressed(what))


class TextPane(ScrollView, can_focus=True):
    """Lines that scroll, with the keys of pagers."""

    ALLOW_SELECT = False
    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("down,j", "scroll_down", show=False),
        Binding("up,k", "scroll_up", show=False),
        Binding("pagedown,ctrl+f,space", "page_down", show=False),
        Binding("pageup,ctrl+b", "page_up", show=False),
        Binding("ctrl+d", "half(1)", show=False),
        Binding("ctrl+u", "half(-1)", show=False),
        Binding("home,g", "scroll_home", show=False),
        Binding("end,G", "scroll_end", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.lines: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Draws what differs from what is there."""
        before, self.lines = self.lines, list(lines)
        if len(before) != len(lines):
            self.virtual_size = Size(0, len(lines))
            self.refresh()
            return
        for y, line in enumerate(lines):
            if line != before[y]:
                self.refresh_line(y)

    def render_line(self, y: int) -> Strip:
        place = round(self.scroll_y) + y
        return strip_of(self.lines[place] if place < len(self.lines) else (), self.size.width)

    def action_half(self, direction: int) -> None:
        """Half a page on or back."""
        self.scroll_relative(y=direction * max(1, self.size.height // 2), animate=False)

    def action_scroll_down(self) -> None:
        self.scroll_relative(y=1, animate=False)

    def action_scroll_up(self) -> None:
        self.scroll_relative(y=-1, animate=False)

    def action_page_down(self) -> None:
        self.scroll_relative(y=max(1, self.size.height - 1), animate=False)

    def action_page_up(self) -> None:
        self.scroll_relative(y=-max(1, self.size.height - 1), animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_scroll_end(self) -> None:
        self.scroll_to(y=len(self.lines), animate=False)
