"""What the command knows of its surroundings: language, colour, and how to talk on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

from oomlens.i18n import Translate, language_of, translator


class ExitCode(IntEnum):
    """Exit codes of all verbs (design)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    INCIDENT = 10


def language(option: str | None) -> str:
    """The --lang option, else the locale's language."""
    return language_of(option, *(os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")))


def translate(option: str | None) -> Translate:
    """The translation function for the option and the locale."""
    return translator(language(option))


def colour(option: str) -> bool:
    """Colour on a terminal only, and never with NO_COLOR (no-color.org)."""
    if option != "auto":
        return option == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """A line of the conversation: stderr."""
    sys.stderr.write(f"oomlens: {text}\n")


def agreed(question: str, tr: Translate, *, free: bool = True) -> bool:
    """Whether the person says yes. free: standard input is not used for something else; without a terminal nobody can be asked."""
    if not free or not sys.stdin.isatty():
        say(tr("there is no terminal to ask on; say --yes to carry it out"))
        return False
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "はい")


class Progress:
    """A bar on stderr for work that takes longer than a moment; nothing where stderr is no terminal."""

    def __init__(self, title: str, total: int | None, *, wanted: bool) -> None:
        self._title = title
        self._total = total
        self._wanted = wanted and sys.stderr.isatty()
        self._update: Callable[[int], None] | None = None
        self._close: Callable[[], None] | None = None

    def close(self) -> None:
        """Takes the bar away."""
        if self._close is not None:
            self._close()
            self._close = None

    def __call__(self, done: int) -> None:
        """Bytes done so far."""
        if not self._wanted:
            return
        if self._update is None:
            if done < 64 << 20:
                return  # over in a moment
            self._begin()
        if self._update is not None:
            self._update(done)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        bar = Bar(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        bar.start()
        task = bar.add_task(self._title, total=self._total)
        self._update = lambda done: bar.update(task, completed=done)
        self._close = bar.stop
