"""`oomlens top`: memory now, live in the terminal."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from oomlens.cli import snapshots
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.top.reader import Reader
    from oomlens.top.state import State

NAME = "top"
# The first are what most people want; all are keys of `oomlens.predict.order.PROCESS_SORTS`.
SORTS = ("badness", "rss", "pss", "swap", "growth", "left", "adj", "pid", "name")
_LEAST_SECONDS, _MOST_SECONDS = 0.2, 3600.0


def describe(tr: Translate) -> str:
    return tr(
        "watch memory in the terminal: the next kill, pressure, cgroups against limits, processes; kills as they happen"
    )


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens top                                    q quits, ? shows all keys
  oomlens top --sort growth --interval 5         what grows, read every 5 seconds
  oomlens top --filter nginx.service             only what belongs to a unit, container or user
  oomlens top --once | head -20                  one reading as text""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="S", help=tr("seconds between readings (default: 2)")
    )
    parser.add_argument(
        "--sort", choices=SORTS, default="badness", metavar="KEY",
        help=tr("sort processes by {keys} (default: badness)").format(keys=", ".join(SORTS)),
    )  # fmt: skip
    parser.add_argument(
        "--filter", default="", metavar="TEXT",
        help=tr("show only what has these words in its name, command, pid, user, unit, container or pod"),
    )  # fmt: skip
    parser.add_argument("--once", action="store_true", help=tr("print one reading as text and end"))
    snapshots.add_root(parser, tr)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected seconds from {_LEAST_SECONDS:g} to {_MOST_SECONDS:g}")
    return seconds


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    if not args.once and (problem := _no_terminal(tr)) is not None:
        say(f"error: {problem}")
        return ExitCode.FAILED
    from oomlens.top.reader import Reader
    from oomlens.top.state import State
    from oomlens.top.users import Users

    reader = Reader(args.root, args.interval)
    state = State(tr, Users(args.root), text=args.filter)
    state.sort["processes"] = args.sort
    if args.once:
        return _once(reader, state, args, tr)
    if not reader.readable():
        return _no_proc(args, tr)
    return _live(reader, state, args, tr)


def _live(reader: Reader, state: State, args: argparse.Namespace, tr: Translate) -> int:
    try:
        from oomlens.top.app import TopApp
    except ModuleNotFoundError as error:
        told = tr("top needs the Python package {name}; try: pip install {name}, or oomlens top --once")
        say("error: " + told.format(name=(error.name or "textual").partition(".")[0]))
        return ExitCode.FAILED
    from oomlens.top.kill_watch import KillWatch
    from oomlens.top.past import PastReader

    app = TopApp(reader, KillWatch(args.root), state, PastReader(args.root))
    app.run()
    if app.mistake is not None:
        told = tr("top ended by a mistake of its own: {what}; please report it, with oomlens --version")
        say("error: " + told.format(what=f"{type(app.mistake).__name__}: {app.mistake}"))
    return ExitCode.DONE if not app.return_code else ExitCode.FAILED


def _once(reader: Reader, state: State, args: argparse.Namespace, tr: Translate) -> int:
    """Two readings, for rates need two, and the second one as text."""
    if not reader.readable():
        return _no_proc(args, tr)
    from oomlens.render.top.text import text_page

    first = reader.read()
    reader.wanted = frozenset(process.pid for process in first.snapshot.processes)
    state.take(first)
    time.sleep(args.interval)
    state.take(reader.read())
    assert state.view is not None
    columns = max(80, shutil.get_terminal_size((120, 24)).columns)
    sys.stdout.write(text_page(state.view, state.watch, state.processes, state.cgroups, tr, columns))
    return ExitCode.DONE


def _no_terminal(tr: Translate) -> str | None:
    """Why there is nothing to draw on; None where there is."""
    if not sys.stdout.isatty() or not sys.stdin.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return tr("top needs a terminal; try: oomlens status, or oomlens top --once")
    return None


def _no_proc(args: argparse.Namespace, tr: Translate) -> int:
    say("error: " + tr("{root} has no readable /proc; mount it, or try another --root").format(root=args.root))
    return ExitCode.FAILED
