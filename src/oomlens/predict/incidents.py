"""Kills as they become known: told by the kernel's log, or only counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oomlens.model.report import Kind, Outcome, Report
from oomlens.predict.watch import CountedKills

_MOST = 200
# A counter may rise before the log's lines have been read.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Kill:
    """number: counts up from 1. at: when it was, or became known, of the epoch; before: from before the watch began.

    report: None where only counters tell of it; then path and kills say what they rose by.
    """

    number: int
    at: float
    before: bool
    report: Report | None
    path: str | None = None
    kills: int = 1


class Incidents:
    """The latest kills, oldest first. A counted kill waits a moment for its report, and is listed only where none comes."""

    def __init__(self) -> None:
        self.kills: list[Kill] = []
        self.seen = 0
        self._number = 0
        self._owed: list[tuple[float, int]] = []
        self._waiting: list[tuple[float, CountedKills]] = []

    def told(self, at: float, report: Report, *, before: bool) -> None:
        """A report of the log; one that is known already is left out."""
        if any(kill.report is not None and kill.report.id == report.id for kill in self.kills):
            return
        self._keep(at, before=before, report=report, path=None, kills=len(report.victims))
        if not before and report.kind is Kind.KERNEL and report.outcome is Outcome.KILLED:
            self._owed.append((at, max(1, len(report.victims))))
            self._settle()

    def counted(self, at: float, counts: Iterable[CountedKills], *, patient: bool) -> None:
        """Counters rose. patient: a log is followed, which is likely to tell more."""
        self._waiting += [(at, count) for count in counts]
        self._settle()
        patience = _PATIENCE_SECONDS if patient else 0.0
        late = [each for each in self._waiting if at - each[0] >= patience]
        self._waiting = [each for each in self._waiting if at - each[0] < patience]
        for when, count in late:
            self._keep(when, before=False, report=None, path=count.path, kills=count.kills)
        self._owed = [each for each in self._owed if at - each[0] < 2 * _PATIENCE_SECONDS]

    def _settle(self) -> None:
        """Takes what reports have told off what was counted, the oldest first."""
        while self._owed and self._waiting:
            (told_at, told), (at, count) = self._owed.pop(0), self._waiting.pop(0)
            if told > count.kills:
                self._owed.insert(0, (told_at, told - count.kills))
            elif told < count.kills:
                self._waiting.insert(0, (at, count._replace(kills=count.kills - told)))

    def _keep(self, at: float, *, before: bool, report: Report | None, path: str | None, kills: int) -> None:
        self._number += 1
        self.kills.append(Kill(self._number, at, before, report, path, kills))
        self.kills.sort(key=lambda kill: kill.at)
        del self.kills[:-_MOST]
        if not before:
            self.seen += max(1, kills)

    @property
    def latest(self) -> Kill | None:
        """The newest that was not there before."""
        return next((kill for kill in reversed(self.kills) if not kill.before), None)

    @property
    def reports(self) -> tuple[Report, ...]:
        """All that have a report, for what a diagnosis says of the neighbours."""
        return tuple(kill.report for kill in self.kills if kill.report is not None)
