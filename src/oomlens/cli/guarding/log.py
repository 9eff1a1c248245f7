"""`oomlens guard log`: what the guard saw and did, and why."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oomlens.guard.people.events import Entry
    from oomlens.guard.people.log_source import GuardLog
    from oomlens.model.guard_event import GuardEvent

FORMATS = ("text", "json", "jsonl")
SCHEMA = "oomlens/guard-log/1"


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("what the guard saw and did, and why")
    parser = actions.add_parser(name, help=text, description=text)
    add_log_arguments(parser, tr)
    parser.add_argument("--since", metavar="TIME", help=tr("from then on: 2h, yesterday, 2026-11-23T07:14"))
    parser.add_argument("--until", metavar="TIME", help=tr("up to then"))
    parser.add_argument("--last", type=_count, metavar="N", help=tr("only the last N entries"))
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help=tr("how to print (default: {format})").format(format="text")
    )
    parser.add_argument("--follow", action="store_true", help=tr("go on, and print what happens as it happens"))


def add_log_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """Which log."""
    told = tr("a file, - for stdin, or journal (default: /var/log/oomlens/guard.jsonl, else the journal)")
    parser.add_argument("source", nargs="?", metavar="SOURCE", help=told)
    below = tr("read (and install) below DIR instead of this machine")
    parser.add_argument("--root", type=Path, default=argparse.SUPPRESS, metavar="DIR", help=below)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 on")
    return int(text)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.cli.when import parse_when
    from oomlens.guard.people.log_source import GuardLog

    now = datetime.now().astimezone()
    try:
        since, until = (
            parse_when(text, now).timestamp() if text is not None else None for text in (args.since, args.until)
        )
    except ValueError as error:
        say(f"error: {error}")
        return ExitCode.USAGE
    if args.follow and args.format == "json":
        say(f"error: {tr('--follow goes with --format text or jsonl')}")
        return ExitCode.USAGE
    return reading(GuardLog(args.source, args.root), tr, lambda log: _print(log, args, tr, since, until))


def reading(log: GuardLog, tr: Translate, work: Callable[[GuardLog], None]) -> int:
    """Works with a log; what is wrong with it is said. Returns the exit code."""
    from oomlens.host.read.source import UnreadableError
    from oomlens.render.sanitize import visible

    try:
        work(log)
    except FileNotFoundError:
        told = tr("{place}: there is no log of the guard here; start it: sudo oomlens guard install")
        say(f"error: {told.format(place=visible(log.name))}")
        return ExitCode.FAILED
    except PermissionError:
        say(f"error: {visible(log.name)}: {tr('permission denied; run it with sudo')}")
        return ExitCode.FAILED
    except (OSError, UnreadableError) as error:
        what = error.message if isinstance(error, UnreadableError) else error.strerror
        say(f"error: {visible(f'{log.name}: {what}')}")
        return ExitCode.FAILED
    if log.lines.damaged:
        told = tr("{place}: {count} damaged lines were left out")
        say(told.format(place=visible(log.name), count=log.lines.damaged))
        return ExitCode.PARTLY
    return ExitCode.DONE


def _print(log: GuardLog, args: argparse.Namespace, tr: Translate, since: float | None, until: float | None) -> None:
    from oomlens.cli import jsonout
    from oomlens.guard.people.events import Entry, entries

    def within(event: GuardEvent) -> bool:
        at = event.time_seconds
        return (since is None or (at is not None and at >= since)) and (
            until is None or (at is not None and at <= until)
        )

    if args.follow:
        held: list[GuardEvent] | None = None
        if args.last and log.name == "journal":
            _write(_last(entries(filter(within, log.events())), args.last), args.format, tr)
        elif args.last and log.name != "-":
            held = []
        for arrived in log.arriving(held=held is not None):
            if held is not None:
                if arrived is not None:
                    held += [arrived] if within(arrived) else []
                    continue
                _write(_last(entries(iter(held)), args.last), args.format, tr)
                held = None
            elif arrived is not None and within(arrived):
                _write([Entry(arrived)], args.format, tr, following=True)
        return
    found = _last(entries(filter(within, log.events())), args.last)
    if args.format == "json":
        events = [event.raw for entry in found for event in (entry.event, *entry.following)]
        jsonout.write_value({"schema": SCHEMA, "source": log.name, "damaged": log.lines.damaged, "events": events})
        return
    count = _write(found, args.format, tr)
    if not count and args.format == "text":
        say(tr("{place}: nothing happened").format(place=log.name))


def _last(found: Iterator[Entry], last: int | None) -> Iterable[Entry]:
    return found if last is None else deque(found, maxlen=last)


def _write(found: Iterable[Entry], form: str, tr: Translate, *, following: bool = False) -> int:
    """Prints entries as they come; returns how many. following: what comes of a decision is told when it comes."""
    from oomlens.cli import jsonout
    from oomlens.render.guard_log import render_event

    count = 0
    for count, entry in enumerate(found, 1):  # noqa: B007 - counted
        if form == "text":
            sys.stdout.write(render_event(entry.event, None if following else entry.following, tr))
        else:
            for event in (entry.event, *entry.following):
                jsonout.write_compact(event.raw)
        if following:
            sys.stdout.flush()
    return count
