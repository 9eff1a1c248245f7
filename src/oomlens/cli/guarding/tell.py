"""`oomlens guard tell`: hands one event on stdin to people. Started by the loop, ended soon."""

from __future__ import annotations

import argparse
import sys

from oomlens.cli.amounts import duration_seconds
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("hands one event to people: desktop, webhook, a program (started by the guard with the event on stdin)")
    parser = actions.add_parser(name, help=text, description=text)
    parser.add_argument(
        "--desktop", action="store_true", help=tr("a notification for whoever is at the machine or owns the victim")
    )
    parser.add_argument(
        "--webhook", action="append", default=[], metavar="URL",
        help=tr("POST the event as JSON; @FILE reads the URL from a file, which keeps a secret in it"),
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=duration_seconds, default=10.0, metavar="TIME",
        help=tr("end the program after this time (default: 10s)"),
    )  # fmt: skip
    parser.add_argument(
        "--exec", nargs=argparse.REMAINDER, default=[], metavar="ARG", dest="command",
        help=tr("run this program, no shell; all that follows is its arguments"),
    )  # fmt: skip


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.guard.people.telling import Ways, tell
    from oomlens.guard.people.webhook import AddressError, address_of
    from oomlens.model.guard_event import MOST_BYTES, event_of_line

    if not (args.desktop or args.webhook or args.command):
        say(f"error: {tr('say how: --desktop, --webhook URL, --exec PROGRAM ARG…')}")
        return ExitCode.USAGE
    try:
        addresses = [address_of(text) for text in args.webhook]
    except AddressError as error:
        texts = {
            "scheme": tr("--webhook: only http:// and https:// addresses"),
            "address": tr("--webhook: this is no address of a server"),
            "file": tr("--webhook: the file with the address cannot be read"),
        }
        say(f"error: {texts[str(error)]}")  # without the address: there may be a secret in it
        return ExitCode.USAGE
    line = sys.stdin.buffer.read(MOST_BYTES + 1).strip()
    event = event_of_line(line)
    if event is None:
        say(f"error: {tr('stdin is not one event of the guard')}")
        return ExitCode.FAILED
    ways = Ways(args.desktop, addresses, args.command, args.limit, args.root)
    problems = tell(event, line, ways, tr)
    if problems:
        say(f"error: {tr('not everybody was told')}: {'; '.join(problems)}")
        return ExitCode.FAILED
    return ExitCode.DONE
