"""The terminal interface: threads that read, keys, and what they do. Nothing is killed or changed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial

from textual.app import App
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from oomlens.predict.incidents import Kill
from oomlens.render.top.pages import gap_page, help_lines
from oomlens.top.kill_watch import KillWatch
from oomlens.top.lines import Pressed
from oomlens.top.main_screen import MainScreen
from oomlens.top.messages import Failed, Followed, Read, Remembered, Told
from oomlens.top.pages import Compose, Page, diagnosis_page
from oomlens.top.past import PastReader
from oomlens.top.reader import LEAST_SECONDS, MOST_SECONDS, Reader
from oomlens.top.state import GRAPH_SECONDS, State
from oomlens.top.table import RowTable


def _key(keys: str, what: str, *, priority: bool = False) -> Binding:
    return Binding(keys, f"do('{what}')", show=False, priority=priority)


class TopApp(App[None]):
    """reader, kill_watch and past start with the screen and end with it. mistake: an error of ours that ended it."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
        _key("q", "quit"),
        _key("question_mark,f1", "help"),
        _key("1", "pane:processes"),
        _key("2", "pane:cgroups"),
        _key("3", "pane:kills"),
        _key("tab", "pane:next", priority=True),
        _key("shift+tab", "pane:before", priority=True),
        _key("enter,d", "open"),
        _key("o", "latest"),
        _key("n", "victim"),
        _key("s", "sort"),
        _key("S", "sort:before"),
        _key("r", "turn"),
        _key("slash", "filter"),
        _key("escape", "escape"),
        _key("right,l", "branch:open"),
        _key("left,h", "branch:close"),
        _key("e", "expand"),
        _key("c", "commands"),
        _key("t", "graph"),
        _key("plus", "slower"),
        _key("minus", "quicker"),
        _key("space", "now"),
        _key("p", "pause"),
        _key("u", "gaps"),
    ]

    def __init__(
        self, reader: Reader, kill_watch: KillWatch | None, state: State, past: PastReader | None = None
    ) -> None:
        super().__init__()
        self.theme = "ansi-dark"
        self.animation_level = "none"
        self.reader = reader
        self.kill_watch = kill_watch
        self.state = state
        self.past = past
        self.main = MainScreen(state, reader)
        self.mistake: Exception | None = None

    # Life

    async def on_mount(self) -> None:
        await self.push_screen(self.main)
        if not self.is_headless:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        if self.kill_watch is not None:
            self.kill_watch.start(
                lambda report, before: self._from_thread(Told(report, before)),
                lambda following: self._from_thread(Followed(following)),
            )
        self.reader.start(
            lambda reading: self._from_thread(Read(reading)), lambda error: self._from_thread(Failed(error))
        )

    def on_unmount(self) -> None:
        self.reader.stop()
        if self.kill_watch is not None:
            self.kill_watch.stop()
        if self.past is not None:
            self.past.stop()

    def _from_thread(self, message: Message) -> None:
        if self.is_running:
            self.post_message(message)

    def on_followed(self, message: Followed) -> None:
        self.state.following = message.following
        self.main.draw()

    def on_failed(self, message: Failed) -> None:
        self.main.failure = f"{type(message.error).__name__}: {message.error}"
        self.main.draw()

    def on_read(self, message: Read) -> None:
        self.main.failure = None
        kills = self.state.incidents.seen
        if self.state.take(message.reading):
            self.main.draw()
        self._alarm(kills)
        if self.past is not None:  # after the first figures, for it takes longer
            host, at = message.reading.snapshot.host, message.reading.at
            self.past.start(at, host.boot_id, lambda past, reports: self._from_thread(Remembered(past, reports)))

    def on_told(self, message: Told) -> None:
        kills = self.state.incidents.seen
        self.state.told(message.report, before=message.before)
        self.main.draw()
        self._alarm(kills)

    def on_remembered(self, message: Remembered) -> None:
        self.state.watch.remember(message.past)
        for report in message.reports:
            self.state.told(report, before=True)
        self.main.draw()

    def _alarm(self, kills_before: int) -> None:
        if self.state.incidents.seen > kills_before and isinstance(self.screen, Page):
            self.screen.alarm(self.main.kill_line())

    def _handle_exception(self, error: Exception) -> None:
        """A mistake of ours ends the program with a sentence, not with pages of source on a broken terminal."""
        if self.is_headless:
            super()._handle_exception(error)
            return
        self.mistake = error
        self.exit(return_code=1)

    # What keys, clicks and spans do

    def action_do(self, what: str) -> None:
        """One of the actions by name; `name:argument`, or the plain name."""
        name, _, argument = what.partition(":")
        if isinstance(self.screen, Page) and name != "quit":
            return
        deeds: dict[str, Callable[[str], object]] = {
            "branch": self._branch,
            "commands": self._commands,
            "escape": self._escape,
            "expand": lambda _: self.state.expand(),
            "filter": self._filter,
            "gaps": self._gaps,
            "graph": self._graph,
            "help": lambda _: self._page(partial(help_lines, self.state.tr)),
            "kill": self._kill,
            "latest": self._latest,
            "now": lambda _: self.reader.now(),
            "open": self._open,
            "pane": self._pane,
            "pause": self._pause,
            "process": self._process,
            "quicker": lambda _: self._every(0.5),
            "quit": lambda _: self.exit(),
            "slower": lambda _: self._every(2.0),
            "sort": lambda to: self.state.sort_next(-1 if to else 1),
            "turn": lambda _: self.state.turn_round(),
            "victim": self._victim,
        }
        deeds[name](argument)
        self.main.draw()

    def on_pressed(self, message: Pressed) -> None:
        if isinstance(self.screen, Page):
            self.screen.press(message.what)
        else:
            self.action_do(message.what)

    def on_row_table_heading(self, message: RowTable.Heading) -> None:
        self.state.sort_by(message.key)
        self.main.draw()

    def on_row_table_opened(self) -> None:
        self.action_do("open")

    def on_row_table_moved(self) -> None:
        self.main.draw()

    def on_descendant_focus(self) -> None:
        focused = self.main.focused
        if isinstance(focused, RowTable) and focused.id in self.main.tables and focused.id != self.state.pane:
            self.state.pane = focused.id
            self.main.draw()

    def _pane(self, name: str) -> None:
        to = {"next": self.state.next_pane(1), "before": self.state.next_pane(-1)}.get(name, name)
        self.main.filtering = False
        self.state.pane = to
        self.main.detailed = self.main.detailed and self.main.wide and to != "kills"
        self.main.settle()

    def _open(self, _: str) -> None:
        """Details of the chosen row, or its diagnosis; once more closes them."""
        if self.state.pane == "kills":
            if self.main.table.chosen is not None:
                self._kill(self.main.table.chosen.partition(":")[2])
            return
        self.main.detailed = not self.main.detailed
        self.main.details.scroll_to(y=0, animate=False)
        self.main.settle()

    def _escape(self, _: str) -> None:
        if self.main.filtering:
            self.main.filter.value = ""
            self._filter("keep")
        elif self.main.detailed:
            self.main.detailed = False
            self.main.settle()
        elif self.state.text:
            self.main.filter.value = ""

    def _latest(self, _: str) -> None:
        kills = self.state.incidents.kills
        kill = self.state.incidents.latest or (kills[-1] if kills else None)
        if kill is None:
            self._pane("kills")
        else:
            self._show_kill(kill)

    def _kill(self, number: str) -> None:
        for kill in self.state.incidents.kills:
            if str(kill.number) == number:
                self._show_kill(kill)

    def _show_kill(self, kill: Kill) -> None:
        if kill.report is None:
            self._pane("kills")
        else:
            self._page(diagnosis_page(kill.report, self.state.incidents.reports, self.state.tr))

    def _page(self, compose: Compose) -> None:
        self.push_screen(Page(compose, self.state.tr))

    def _gaps(self, _: str) -> None:
        if self.state.view is not None:
            self._page(partial(gap_page, self.state.view, self.state.source(), self.state.tr))

    def _victim(self, _: str) -> None:
        """The next victim of the machine, then those of cgroups, each in turn."""
        victims = [str(pid) for pid in self.state.victims()]
        if victims:
            chosen = self.main.tables["processes"].chosen
            place = victims.index(chosen) + 1 if chosen in victims and self.state.pane == "processes" else 0
            self._process(victims[place % len(victims)])

    def _process(self, pid: str) -> None:
        if self.state.text and not any(str(row.process.pid) == pid for row in self.state.processes):
            self.main.filter.value = ""
            self.state.text = ""
            self.state.arrange()
        self._pane("processes")
        self.main.draw()
        self.main.tables["processes"].choose(pid)

    def _branch(self, to: str) -> None:
        table = self.main.tables["cgroups"]
        if self.state.pane != "cgroups" or table.chosen is None:
            return
        above = self.state.branch(table.chosen, opened=to == "open")
        if above is not None:
            table.choose(above)

    def _commands(self, _: str) -> None:
        self.state.commands = not self.state.commands

    def _graph(self, _: str) -> None:
        self.state.graph = (self.state.graph + 1) % len(GRAPH_SECONDS)

    def _pause(self, _: str) -> None:
        self.state.paused = not self.state.paused
        self.reader.now()

    def _every(self, factor: float) -> None:
        self.reader.interval = min(MOST_SECONDS, max(LEAST_SECONDS, self.reader.interval * factor))
        self.reader.now()

    # Filter

    def _filter(self, argument: str) -> None:
        """Asks for a filter; with `keep`, ends asking."""
        self.main.filtering = argument != "keep"
        self.main.settle()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.state.text = event.value
        self.state.arrange()
        self.main.draw()

    def on_input_submitted(self) -> None:
        self.action_do("filter:keep")
