"""`oomlens history`: what oomlens changed on this machine."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oomlens.cli import state
from oomlens.cli.apply import journal_problem
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.apply.journal import Application

NAME = "history"


def describe(tr: Translate) -> str:
    return tr("list what oomlens changed on this machine, and what became of it")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens history
  oomlens history --format json | jq '.[-1].plan.steps'""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to print (default: text)"))
    state.add_state(parser, tr)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.apply.journal import Journal, JournalError

    journal = Journal(state.state_folder(args))
    try:
        known = journal.applications()
    except JournalError as error:
        say(f"error: {journal_problem(error, tr)}")
        return ExitCode.FAILED
    if args.format == "json":
        from oomlens.cli import jsonout

        jsonout.write_value([_as_json(one) for one in known])
        return ExitCode.DONE
    if not known:
        say(tr("{folder}: nothing was changed yet").format(folder=journal.folder))
    from oomlens.render.columns import aligned
    from oomlens.render.plan import told

    words = {
        "applying": tr("interrupted"), "applied": tr("applied"), "taking-back": tr("interrupted"),
        "rolled-back": tr("taken back"), "failed": tr("failed"),
    }  # fmt: skip
    rows = [
        (one.id, _when(one), words[one.status.value], _verdict(one) or "-", told(one.plan.title, tr)) for one in known
    ]
    if rows:
        sys.stdout.write(
            "\n".join(aligned([(tr("ID"), tr("TIME"), tr("STATE"), tr("VERIFIED"), tr("WHAT")), *rows])) + "\n"
        )
    return ExitCode.DONE


def _when(application: Application) -> str:
    seconds = application.begun.get("time_seconds")
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")


def _verdict(application: Application) -> str | None:
    found = [event for event in application.events if event["event"] == "verified"]
    return str(found[-1]["verdict"]) if found else None


def _as_json(application: Application) -> dict[str, Any]:
    from oomlens.model.plan_codec import plan_to_dict

    return {
        "id": application.id,
        "number": application.number,
        "status": application.status.value,
        "time_seconds": application.begun.get("time_seconds"),
        "verified": _verdict(application),
        "steps": {name: record.progress.value for name, record in application.steps.items()},
        "plan": plan_to_dict(application.plan),
    }
