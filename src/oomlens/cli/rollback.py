"""`oomlens rollback`: take a change back."""

from __future__ import annotations

import argparse
import sys

from oomlens.cli import state
from oomlens.cli.apply import journal_problem, say_refused
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

NAME = "rollback"


def describe(tr: Translate) -> str:
    return tr("take back what oomlens apply did: bytes, modes, owners and live values as they were")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  sudo oomlens rollback              the last change
  oomlens history                    all changes, with their ids
  sudo oomlens rollback 7            the change number 7""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "id", nargs="?", metavar="ID", help=tr("number or id of oomlens history (default: the last change)")
    )
    state.add_state(parser, tr)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.apply.action import StepError
    from oomlens.apply.engine import Engine, RefusedError
    from oomlens.apply.journal import Journal, JournalError, Status
    from oomlens.apply.machine import Machine
    from oomlens.render.plan import progress_lines, told

    journal = Journal(state.state_folder(args))
    try:
        application = state.find(journal, args.id)
        if application is None:
            texts = (
                tr("there is no change to take back in {folder}"),
                tr("no change has the id {id}; oomlens history lists them"),
            )
            missing = texts[args.id is not None]
            say(f"error: {missing.format(folder=journal.folder, id=args.id)}")
            return ExitCode.FAILED
        if application.status is Status.ROLLED_BACK:
            say(tr("{id} has been taken back already").format(id=application.id))
            return ExitCode.DONE
        result = Engine(Machine(args.root), journal).rollback(application)
    except RefusedError as error:
        say_refused(args.id or tr("the last change"), error, tr)
        return ExitCode.FAILED
    except JournalError as error:
        say(f"error: {journal_problem(error, tr)}")
        return ExitCode.FAILED
    except (StepError, OSError) as error:
        say(f"error: {error}; {tr('the rest stands; mend that, then run oomlens rollback again')}")
        return ExitCode.FAILED
    sys.stdout.write(f"{application.id}  {told(application.plan.title, tr)}\n")
    sys.stdout.write("".join(f"{line}\n" for line in progress_lines(application.plan, result.progress, tr)))
    sys.stdout.write(f"  {tr('everything is as it was')}\n")
    return ExitCode.DONE
