"""What the screen is made of: the last view, the kills, and what the person chose. Knows no widgets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from oomlens.i18n import Translate
from oomlens.model.report import Report
from oomlens.predict.incidents import Incidents
from oomlens.predict.order import (
    CGROUP_SORTS,
    PROCESS_SORTS,
    first_closed,
    matching,
    ordered_cgroups,
    ordered_processes,
)
from oomlens.predict.view import CgroupRow, ProcessRow, View, view_of
from oomlens.predict.watch import Watch
from oomlens.render.gaps import reasons
from oomlens.render.sanitize import visible
from oomlens.render.top.bars import PANES, Counts, pane_titles
from oomlens.render.top.processes import Urgencies, urgencies
from oomlens.top.kill_watch import Following
from oomlens.top.reader import Reading
from oomlens.top.users import Users

# Lengths of the graphs; what is longer than the program runs comes from the flight recorder.
GRAPH_SECONDS = (240.0, 900.0, 3 * 3600.0, 24 * 3600.0)
SORTS = {"processes": tuple(PROCESS_SORTS), "cgroups": tuple(CGROUP_SORTS)}


@dataclass(slots=True)
class State:
    """sort, reverse: by table. closed: branches of the tree, None until the first view. paused: the view stands still."""

    tr: Translate
    users: Users
    sort: dict[str, str] = field(default_factory=lambda: {"processes": "badness", "cgroups": "share"})
    reverse: dict[str, bool] = field(default_factory=lambda: {"processes": False, "cgroups": False})
    pane: str = "processes"
    text: str = ""
    commands: bool = False
    graph: int = 0
    paused: bool = False
    closed: set[str] | None = None
    following: Following = field(default_factory=lambda: Following(()))
    watch: Watch = field(default_factory=Watch)
    incidents: Incidents = field(default_factory=Incidents)
    view: View | None = None
    near: Urgencies = field(default_factory=dict)
    processes: list[ProcessRow] = field(default_factory=list)
    cgroups: list[CgroupRow] = field(default_factory=list)

    def take(self, reading: Reading) -> bool:
        """The next reading; False where nothing new is to be shown."""
        self.watch.add(reading.at, reading.snapshot, reading.predictions)
        self.incidents.counted(reading.at, self.watch.kills, patient=bool(self.following.names))
        if self.paused and self.view is not None:
            return False
        self.users.learn(process.uid for process in reading.snapshot.processes)
        self.view = view_of(reading.at, reading.snapshot, reading.predictions, self.watch)
        self.near = urgencies(self.view)
        if self.closed is None:
            self.closed = first_closed(self.view.cgroups)
        self.arrange()
        return True

    def told(self, report: Report, *, before: bool) -> None:
        """A kill that a log tells of."""
        at = datetime.fromisoformat(report.time).timestamp() if before and report.time is not None else time.time()
        self.incidents.told(at, report, before=before)

    def arrange(self) -> None:
        """Sorts and filters anew."""
        if self.view is None:
            return
        rows = matching(self.view.processes, self.text, self.users)
        self.processes = ordered_processes(rows, self.sort["processes"], reverse=self.reverse["processes"])
        self.cgroups = ordered_cgroups(
            self.view.cgroups, self.sort["cgroups"], reverse=self.reverse["cgroups"],
            closed=self.closed or (), text=self.text,
        )  # fmt: skip

    def sort_by(self, key: str) -> None:
        """Sorts the table by this; once more turns the order round."""
        if key not in SORTS.get(self.pane, ()):
            return
        self.reverse[self.pane] = not self.reverse[self.pane] if self.sort[self.pane] == key else False
        self.sort[self.pane] = key
        self.arrange()

    def sort_next(self, by: int) -> None:
        """Sorts by the next of the ways, or the one before."""
        ways = SORTS.get(self.pane)
        if ways is not None:
            self.sort_by(ways[(ways.index(self.sort[self.pane]) + by) % len(ways)])

    def turn_round(self) -> None:
        """The other order."""
        if self.pane in SORTS:
            self.sort_by(self.sort[self.pane])

    def branch(self, path: str, *, opened: bool) -> str | None:
        """Opens or closes a branch of the tree; closing what is closed gives the branch above it to go to."""
        row = self.cgroup(path)
        if row is None or self.closed is None:
            return None
        if opened:
            self.closed.discard(path)
        elif row.children and path not in self.closed:
            self.closed.add(path)
        else:
            return row.parent
        self.arrange()
        return None

    def expand(self) -> None:
        """Opens the whole tree; where it is open already, closes it."""
        if self.view is None:
            return
        closed = {row.usage.path for row in self.view.cgroups if row.children and row.depth > 0}
        self.closed = set() if self.closed else closed
        self.arrange()

    def process(self, pid: str) -> ProcessRow | None:
        """The row of a process that is there."""
        rows = self.view.processes if self.view is not None else ()
        return next((row for row in rows if str(row.process.pid) == pid), None)

    def cgroup(self, path: str) -> CgroupRow | None:
        """The row of a cgroup that is there."""
        rows = self.view.cgroups if self.view is not None else ()
        return next((row for row in rows if row.usage.path == path), None)

    def victims(self) -> list[int]:
        """The next victims: of the machine, then of the most urgent scopes; each once."""
        found = [scope.victim.pid for scope in self.view.scopes if scope.victim is not None] if self.view else []
        return list(dict.fromkeys(found))

    def counts(self) -> Counts:
        """How many rows each table has."""
        known = len(self.view.cgroups) if self.view is not None else 0
        return Counts(len(self.processes), known, len(self.incidents.kills))

    def hidden(self) -> str | None:
        """Why processes or cgroups are missing from the tables."""
        if self.view is None:
            return None
        for gap in self.view.snapshot.gaps:
            what = gap.what.partition(":")[0]
            if what in ("processes", "cgroups"):
                told = pane_titles(self.tr)[what] + gap.what.removeprefix(what)
                return f"{visible(told)}: {reasons(self.tr).get(gap.why, gap.why)}"
        machine = self.view.scopes[0].prediction if self.view.scopes else None
        for gap in machine.gaps if machine is not None else ():
            if gap.why == "other-namespaces-not-seen":
                return reasons(self.tr)[gap.why]
        return None

    def source(self) -> str:
        """How kills are noticed, in words."""
        if self.following.names:
            return self.tr("following {names}").format(names=", ".join(self.following.names))
        why = {
            "permission-denied": self.tr("permission denied; run it with sudo"),
            "not-found": self.tr("there is none"),
            "unreadable": self.tr("it cannot be read"),
        }.get(self.following.why or "not-found", self.following.why or "")
        return self.tr("no kernel log ({why}): kills are only counted").format(why=why)

    def next_pane(self, by: int) -> str:
        """The table after this one."""
        return PANES[(PANES.index(self.pane) + by) % len(PANES)]


def clock(at: float | None) -> str:
    """The time on this machine; now, where none is given."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
