"""Samples of the past for a verb that foretells: the recorder's, and those that it takes itself."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from oomlens.cli.amounts import duration_seconds
from oomlens.cli.recording.recorded import SPAN_SECONDS, add_history_arguments
from oomlens.cli.terminal import say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.history import Sample
    from oomlens.model.snapshot import Snapshot

_MOST_RECORDED = 600
_MOST_OWN = 5000
# So many are taken in the time that is given, but not more often than twice a second.
_WANTED = 24
_SHORTEST_SECONDS = 0.5


def add_past_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """--history, --no-history, --sample, --watch."""
    add_history_arguments(parser, tr)
    first = tr("first look for so long how it grows, to say when (needs no recorder), such as 30s")
    parser.add_argument("--sample", type=_positive, metavar="TIME", help=first)
    again = tr("answer again every so often, such as 10s, until Ctrl-C")
    parser.add_argument("--watch", type=_positive, metavar="TIME", help=again)


def _positive(text: str) -> float:
    seconds = duration_seconds(text)
    if seconds < _SHORTEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r}: at least 0.5s; try 10s")
    return seconds


class PastSamples:
    """samples: what is known of the past, in the order of time. The recorder's are read when this is made."""

    def __init__(self, args: argparse.Namespace, tr: Translate) -> None:
        self._tr = tr
        self._seconds: float | None = args.sample
        self._recorded = _recorded(args, tr)
        self._own: list[Sample] = []

    @property
    def samples(self) -> list[Sample]:
        return [*self._recorded, *self._own]

    def sample(self, read: Callable[[], Snapshot]) -> None:
        """Takes samples for as long as was asked for."""
        if self._seconds is None:
            return
        if sys.stderr.isatty():
            say(self._tr("looking for {seconds} s how memory grows").format(seconds=round(self._seconds)))
        step = max(_SHORTEST_SECONDS, self._seconds / _WANTED)
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            self.add(read())
            time.sleep(max(0.0, min(step, end - time.monotonic())))

    def add(self, snapshot: Snapshot) -> None:
        """One more, of now."""
        from oomlens.model.sampling import sample_of

        self._own.append(sample_of(snapshot, before=self._own[-1] if self._own else None))
        del self._own[:-_MOST_OWN]


def _recorded(args: argparse.Namespace, tr: Translate) -> list[Sample]:
    from oomlens.host.read.history import found_folder, read_history
    from oomlens.host.read.source import UnreadableError

    folder = args.history
    if folder is None and not args.no_history:
        folder = found_folder(args.root)
    if folder is None:
        return []
    try:
        return list(read_history(folder, time.time() - SPAN_SECONDS, most_samples=_MOST_RECORDED).samples)
    except UnreadableError as error:
        if args.history is not None:  # only what was asked for by name is worth a complaint
            say(f"{tr('could not read')} {error}")
        return []
