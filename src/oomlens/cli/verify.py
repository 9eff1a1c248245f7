"""`oomlens verify`: did a change help?"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli import state
from oomlens.cli.apply import journal_problem
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.apply.journal import Application
    from oomlens.model.report import Report
    from oomlens.plan.verdict import Judgement

NAME = "verify"


def describe(tr: Translate) -> str:
    return tr("look at counters and new kills since a change: fixed, not fixed, moved elsewhere, or not known yet")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens verify                     the last change
  oomlens verify 7 --quiet-for 2h    two hours without a kill are enough""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "id", nargs="?", metavar="ID", help=tr("number or id of oomlens history (default: the last change)")
    )
    parser.add_argument(
        "--quiet-for", type=_seconds, metavar="TIME", help=tr("how long without a kill it takes to call it fixed (default: 24h)")
    )  # fmt: skip
    parser.add_argument(
        "--source", action="append", default=[], metavar="SOURCE", help=tr("logs to look at (default: this machine's)")
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to print (default: text)"))
    state.add_state(parser, tr)


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if text[-1:] not in units or not text[:-1].isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 30m, 2h or 1d")
    return float(int(text[:-1]) * units[text[-1]])


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.apply.engine import Engine
    from oomlens.apply.journal import Journal, JournalError, Status
    from oomlens.apply.machine import Machine

    journal = Journal(state.state_folder(args))
    try:
        application = state.find(journal, args.id)
        if application is None:
            say(f"error: {tr('no change to look at; oomlens history lists them')}")
            return ExitCode.FAILED
        in_place = application.status is Status.APPLIED and Engine(Machine(args.root), journal).in_place(application)
        judgement = _judged(application, in_place, args, tr)
        with journal.lock():
            journal.append(
                application, {"event": "verified", "verdict": judgement.verdict.value, "time_seconds": time.time()}
            )
    except JournalError as error:
        say(f"error: {journal_problem(error, tr)}")
        return ExitCode.FAILED
    _print(application, judgement, args, tr)
    return ExitCode.DONE


def _judged(application: Application, in_place: bool | None, args: argparse.Namespace, tr: Translate) -> Judgement:
    from oomlens.plan.verdict import judge

    since = application.begun.get("time_seconds")
    now = state.facts(args.root)
    return judge(
        application.plan,
        in_place=in_place,
        before=state.counts(application.begun),
        now=state.counts(now),
        kills=_kills_since(since, args, tr),
        elapsed_seconds=None if since is None else float(now["time_seconds"]) - float(since),
        quiet_seconds=args.quiet_for,
    )


def _kills_since(since: float | None, args: argparse.Namespace, tr: Translate) -> list[Report] | None:
    """Kills of the logs since a moment; None where no log could be read."""
    from oomlens.cli.reading import Reading
    from oomlens.model.report import Kind
    from oomlens.pipeline import light, merge

    if since is None or (str(args.root) != "/" and not args.source):
        return None
    asked = argparse.Namespace(sources=args.source, root=Path("/"), no_progress=True, quiet=True, exit_code=False)
    reading = Reading(asked, tr)
    found = merge(map(light, reading.reports()))
    if not reading.read:
        return None
    kills = [report for report in found if report.kind in (Kind.KERNEL, Kind.USERSPACE)]
    return [report for report in kills if report.time and datetime.fromisoformat(report.time).timestamp() >= since]


def _print(application: Application, judgement: Judgement, args: argparse.Namespace, tr: Translate) -> None:
    if args.format == "json":
        from dataclasses import asdict

        from oomlens.cli import jsonout

        jsonout.write_value({"id": application.id, **asdict(judgement)})
        return
    from oomlens.render.plan import told
    from oomlens.render.sentences import duration

    verdicts = {
        "fixed": tr("fixed"),
        "not-fixed": tr("not fixed"),
        "moved-elsewhere": tr("moved elsewhere"),
        "unknown": tr("not known"),
    }
    reasons = {
        "killed-again": tr("it was killed again {here} times since"),
        "not-in-place": tr("the change is not in place any more"),
        "others-were-killed": tr("it was not killed any more, but others were: {elsewhere} times"),
        "nothing-counts": tr("neither a counter nor a log tells of kills"),
        "too-early": tr("no kill yet, but it is too early to say: look again in {wait}"),
        "quiet": tr("no kill for {elapsed}"),
    }
    told_why = reasons[judgement.why].format(
        here=judgement.kills_here,
        elsewhere=judgement.kills_elsewhere,
        wait=duration(judgement.wait_seconds or 0),
        elapsed=duration(judgement.elapsed_seconds or 0),
    )
    sys.stdout.write(f"{application.id}  {told(application.plan.title, tr)}\n")
    sys.stdout.write(f"  {verdicts[judgement.verdict.value]}: {told_why}\n")
    if judgement.verdict.value in ("not-fixed", "moved-elsewhere"):
        sys.stdout.write(f"  {tr('take it back')}: oomlens rollback {application.id}\n")
        sys.stdout.write(f"  {tr('why it happened')}: oomlens diagnose\n")
