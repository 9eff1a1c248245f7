"""The main screen: its widgets, and drawing the state into them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input

from oomlens.render.top.bars import filter_keys, key_line, main_keys, tab_line
from oomlens.render.top.cgroup_details import cgroup_lines
from oomlens.render.top.cgroups import cgroup_columns, cgroup_row
from oomlens.render.top.columns import Row
from oomlens.render.top.details import process_lines
from oomlens.render.top.kills import kill_columns, kill_line, kill_row
from oomlens.render.top.processes import process_columns, process_row
from oomlens.render.top.scopes import scope_lines
from oomlens.render.top.styled import Line, Span, Tone, cell
from oomlens.render.top.totals import header_line, totals_lines
from oomlens.top.lines import LinesPane, TextPane
from oomlens.top.reader import Reader
from oomlens.top.state import GRAPH_SECONDS, State, clock
from oomlens.top.table import RowTable

# From these sizes on there is room for details beside the table, and for two tables.
WIDE_COLUMNS, TALL_LINES = 120, 40


class MainScreen(Screen[None]):
    """detailed: whether the details of the chosen row are shown. filtering: whether a filter is typed. failure: why the last reading failed."""

    AUTO_FOCUS = None
    CSS = """
    MainScreen { layout: vertical; }
    #body { height: 1fr; }
    #tables { width: 1fr; height: 1fr; }
    RowTable { height: 1fr; display: none; overflow-x: hidden; scrollbar-size-vertical: 1; }
    RowTable.shown { display: block; }
    #details { display: none; width: 1fr; height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    #body.detailed #details { display: block; }
    #body.detailed.wide #details { width: 46%; padding: 0 0 0 1; }
    #body.detailed.narrow #tables { display: none; }
    RowTable.under { height: auto; max-height: 40%; min-height: 4; }
    #filter { display: none; height: 1; border: none; padding: 0; }
    #filter.asked { display: block; }
    """

    def __init__(self, state: State, reader: Reader) -> None:
        super().__init__()
        self.state = state
        self.reader = reader
        self.detailed = False
        self.filtering = False
        self.failure: str | None = None
        tr = state.tr
        self._top, self._tabs, self._keys = LinesPane("top"), LinesPane("tabs"), LinesPane("keys")
        self.tables = {
            "processes": RowTable("processes", process_columns(tr)),
            "cgroups": RowTable("cgroups", cgroup_columns(tr)),
            "kills": RowTable("kills", kill_columns(tr)),
        }
        self.details = TextPane("details")
        self.filter = Input(
            state.text, id="filter", placeholder=tr("name, command, pid, user, unit, container"), compact=True, select_on_focus=False
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        yield self._top
        yield self._tabs
        with Horizontal(id="body"):
            with Vertical(id="tables"):
                yield from self.tables.values()
            yield self.details
        yield self.filter
        yield self._keys

    @property
    def table(self) -> RowTable:
        """The table that the keys go to."""
        return self.tables[self.state.pane]

    @property
    def wide(self) -> bool:
        """Whether details have room beside the table."""
        return self.size.width >= WIDE_COLUMNS

    def on_mount(self) -> None:
        self.settle()

    def on_resize(self) -> None:
        self.settle()
        self.call_after_refresh(self.draw)

    def settle(self) -> None:
        """Which tables are there, and who has the keys."""
        tall = self.size.height >= TALL_LINES
        for name, table in self.tables.items():
            table.set_class(name == self.state.pane or (tall and name != "kills"), "shown")
            table.set_class(tall and name != "processes", "under")
        body = self.query_one("#body")
        body.set_class(self.detailed, "detailed")
        body.set_class(self.wide, "wide")
        body.set_class(not self.wide, "narrow")
        self.filter.set_class(self.filtering, "asked")
        if self.filtering:
            self.filter.focus()
        else:
            (self.details if self.detailed and not self.wide else self.table).focus()

    # Drawing

    def draw(self) -> None:
        """Everything; widgets draw only what differs."""
        self._draw_top()
        self._draw_tables()
        self._draw_details()
        self._draw_bars()

    def _draw_top(self) -> None:
        state, width = self.state, self.size.width
        view = state.view
        if view is None:
            self._top.show([(Span(self.failure or state.tr("reading …"), Tone.DIM),)])
            return
        height = self.size.height
        most = 3 if height < 30 else 5 if height < TALL_LINES else 8
        lines = [
            header_line(
                view, state.tr, width, every=self.reader.interval, clock=clock(view.at)[11:], paused=state.paused,
                graph_seconds=GRAPH_SECONDS[state.graph],
            ),
            *scope_lines(view.scopes, state.tr, width, most),
            *totals_lines(view, state.watch, state.tr, width, GRAPH_SECONDS[state.graph]),
            self.kill_line(),
        ]  # fmt: skip
        if self.failure is not None:
            told = state.tr("could not read: {why}").format(why=self.failure)
            lines[0] = (Span(cell(told, width), Tone.ALARM),)
        self._top.show(lines)

    def kill_line(self) -> Line:
        """The latest kill, or how kills are noticed."""
        return kill_line(self.state.incidents, clock, self.state.source(), self.state.tr, self.size.width)

    def _draw_tables(self) -> None:
        state, tables = self.state, self.tables
        empty = state.tr("no row has all these words: {text}").format(text=state.text) if state.text else ""
        processes, cgroups, kills = state.processes, state.cgroups, state.incidents.kills[::-1]
        processes_keys = [str(row.process.pid) for row in processes]
        tables["processes"].show(
            processes_keys, self._process_row, sorted_by=state.sort["processes"], empty=empty, follow=self.detailed
        )
        tables["cgroups"].show(
            [row.usage.path for row in cgroups], self._cgroup_row, sorted_by=state.sort["cgroups"],
            empty=empty or (state.hidden() or ""), follow=True,
        )  # fmt: skip
        nothing = state.tr("no kill is known")
        tables["kills"].show(
            [f"kill:{kill.number}" for kill in kills], self._kill_row, sorted_by=None,
            empty=f"{nothing}; {state.source()}", follow=False,
        )  # fmt: skip
        self.want()

    def want(self) -> None:
        """Asks for the PSS of what can be seen; of all where it is sorted by it."""
        table, sorts = self.tables["processes"], self.state.sort["processes"]
        seen = table.visible_keys() if table.display else []
        if not any(column.key == "pss" for column, _ in table.columns):
            seen = []
        if sorts == "pss":
            seen = [str(row.process.pid) for row in self.state.processes]
        if self.detailed and self.state.pane == "processes" and table.chosen is not None:
            seen = [*seen, table.chosen]
        self.reader.wanted = frozenset(map(int, seen))

    def _process_row(self, place: int) -> Row:
        columns = [column for column, _ in self.tables["processes"].columns]
        return process_row(self.state.processes[place], columns, self.state.near, commands=self.state.commands)

    def _cgroup_row(self, place: int) -> Row:
        columns = [column for column, _ in self.tables["cgroups"].columns]
        return cgroup_row(self.state.cgroups[place], columns, self.state.closed or ())

    def _kill_row(self, place: int) -> Row:
        columns = [column for column, _ in self.tables["kills"].columns]
        kill = self.state.incidents.kills[-1 - place]
        return kill_row(kill, clock, columns, self.state.tr)

    def _draw_details(self) -> None:
        if not self.detailed:
            return
        key, columns = self.table.chosen, max(30, (self.size.width * 46 // 100 if self.wide else self.size.width) - 2)
        state = self.state
        lines: list[Line] = [(Span(state.tr("it is gone"), Tone.DIM),)]
        if key is not None and state.view is not None:
            process = state.process(key) if state.pane == "processes" else None
            cgroup = state.cgroup(key) if state.pane == "cgroups" else None
            if process is not None:
                lines = process_lines(process, state.view, state.watch, state.tr, columns, state.users)
            elif cgroup is not None:
                lines = cgroup_lines(cgroup, state.view, state.watch, state.tr, columns)
        self.details.show(lines)

    def _draw_bars(self) -> None:
        state, width = self.state, self.size.width
        pane = state.pane
        self._tabs.show(
            [
                tab_line(
                    pane, state.counts(), state.sort.get(pane), reverse=state.reverse.get(pane, False),
                    text=state.text, gap=state.hidden(), tr=state.tr, columns=width,
                )
            ]
        )  # fmt: skip
        keys = main_keys(pane, detailed=self.detailed, kills=bool(state.incidents.kills), tr=state.tr)
        self._keys.show([key_line(filter_keys(state.tr) if self.filtering else keys, width)])
