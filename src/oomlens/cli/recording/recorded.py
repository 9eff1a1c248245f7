"""What the recorder knows of kills, for the verbs that explain them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli.terminal import say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.past import Past
    from oomlens.model.report import Report

# How far back curves go, and how many samples of that are looked at.
SPAN_SECONDS = 86400.0
_MOST_SAMPLES = 600


def add_history_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """--history and --no-history."""
    which = parser.add_mutually_exclusive_group()
    told = tr("history of oomlens record to take the past from (default: this machine's)")
    which.add_argument("--history", type=Path, metavar="DIR", help=told)
    which.add_argument("--no-history", action="store_true", help=tr("do not look for a recorded past"))


class Recorded:
    """The history that a verb may use; without one, everything is empty."""

    def __init__(self, args: argparse.Namespace, tr: Translate) -> None:
        from oomlens.host.read.history import found_folder

        self._tr = tr
        asked: Path | None = getattr(args, "history", None)
        self._asked = asked is not None
        self._own_logs = not args.sources
        self.failed = False
        self.used = False  # whether it had a report to give
        self.folder = asked
        if asked is None and not getattr(args, "no_history", False):
            self.folder = found_folder(args.root)

    def reports(self) -> list[Report]:
        """The recorder's reports of this machine's kills: the logs may not hold them any more. Not for logs that were named."""
        from oomlens.host.read.history import read_history
        from oomlens.host.read.source import UnreadableError

        if self.folder is None or not self._own_logs:
            return []
        try:
            kills = read_history(self.folder, most_samples=0).kills
        except UnreadableError as error:
            self._say(str(error))
            return []
        told = [kill.report for kill in kills if kill.report is not None]
        self.used = bool(told)
        return [
            replace(report, origin=report.origin._replace(source=f"recorder:{number}"))
            for number, report in enumerate(told, 1)
        ]

    def past_of(self, report: Report) -> Past | None:
        """The past of a report, where the history is of its machine and time."""
        from oomlens.diagnose.past import CLOCK_SECONDS, belongs, moment_of, past_of
        from oomlens.host.read.history import read_history
        from oomlens.host.read.source import UnreadableError

        if self.folder is None:
            return None
        try:
            kills = read_history(self.folder, most_samples=0)
            at = moment_of(report, kills)
            if at is None:
                return None
            held = read_history(
                self.folder, at - SPAN_SECONDS, at + CLOCK_SECONDS, most_samples=_MOST_SAMPLES, snapshots=True
            )
        except UnreadableError as error:
            self._say(str(error))
            return None
        if not belongs(report, held, same_machine=self._asked or self._own_logs):
            if self._asked:
                say(self._tr("{folder} holds nothing of the time before this kill").format(folder=self.folder))
            return None
        return past_of(report, held)

    def _say(self, problem: str) -> None:
        """Only what was asked for by name is worth a complaint, and only once."""
        if self._asked and not self.failed:
            say(f"{self._tr('could not read')} {problem}")
        self.failed = self._asked
