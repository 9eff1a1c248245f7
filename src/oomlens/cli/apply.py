"""`oomlens apply`: carry a plan out."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oomlens.cli import state
from oomlens.cli.terminal import ExitCode, agreed, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.apply.engine import RefusedError, Result
    from oomlens.model.plan import Plan

NAME = "apply"


def describe(tr: Translate) -> str:
    return tr("carry out a plan that oomlens plan made, with a journal; oomlens rollback takes it back")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan swap --size 4G --out plan.json    first: what would be done
  sudo oomlens apply plan.json                   asks, then does the safe steps
  sudo oomlens apply plan.json --yes --allow 3f2a9c01d2e4.2
  oomlens plan sysctl vm.swappiness=10 --format json | sudo oomlens apply - --yes
  sudo oomlens rollback                          takes the last one back""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("plan", metavar="PLAN", help=tr("file that oomlens plan --out wrote; - for stdin"))
    parser.add_argument("-y", "--yes", action="store_true", help=tr("do not ask"))
    parser.add_argument(
        "--allow", action="append", default=[], metavar="ID", help=tr("also do this disruptive step; may be given several times")
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="ID", help=tr("only the plans with these ids (default: all of the file)")
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help=tr("only show what would be done"))
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to print (default: text)"))
    state.add_state(parser, tr)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.model.plan_codec import PlanError
    from oomlens.render import plan as page

    try:
        plans = _chosen(_read(args.plan), args)
    except (OSError, PlanError, ValueError) as error:
        say(f"error: {args.plan}: {error}; {tr('a plan is made with: oomlens plan … --out FILE')}")
        return ExitCode.FAILED
    if not plans:
        say(f"error: {tr('{file} has no plan to apply').format(file=args.plan)}")
        return ExitCode.FAILED
    unknown = sorted(set(args.allow) - {step.id for plan in plans for step in plan.steps})
    if unknown:
        say(f"error: --allow {unknown[0]}: {tr('no step of this plan has that id')}")
        return ExitCode.USAGE
    if args.dry_run or not args.yes:
        (sys.stdout if args.format == "text" else sys.stderr).write(page.render(plans, (), tr))
        sys.stdout.flush()
    if args.dry_run:
        return ExitCode.DONE
    if not args.yes and not agreed(tr("Carry this out?"), tr, free=args.plan != "-"):
        say(tr("nothing was changed"))
        return ExitCode.FAILED
    return _apply_all(plans, args, tr)


def _read(name: str) -> Sequence[Plan]:
    import orjson

    from oomlens.model.plan_codec import plans_of
    from oomlens.plan.checked import checked

    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    return checked(plans_of(orjson.loads(data)))


def _chosen(plans: Sequence[Plan], args: argparse.Namespace) -> list[Plan]:
    for wanted in args.only:
        if not any(plan.id.startswith(wanted) for plan in plans):
            raise ValueError(f"--only {wanted}: no such plan")
    return [plan for plan in plans if not args.only or any(plan.id.startswith(wanted) for wanted in args.only)]


def _apply_all(plans: Sequence[Plan], args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.apply.engine import Engine, RefusedError
    from oomlens.apply.journal import Journal, JournalError
    from oomlens.apply.machine import Machine

    engine = Engine(Machine(args.root), Journal(state.state_folder(args)), lambda: state.facts(args.root))
    code = ExitCode.DONE
    told: list[dict[str, Any]] = []
    for plan in plans:
        try:
            result = engine.apply(plan, frozenset(args.allow))
        except RefusedError as error:
            say_refused(plan.id, error, tr)
            _say_by_hand(plan, error, args, tr)
            told.append(
                {"plan": plan.id, "application": None, "refused": [reason._asdict() for reason in error.reasons]}
            )
            code = ExitCode.FAILED
            continue
        except JournalError as error:
            say(f"error: {journal_problem(error, tr)}")
            return ExitCode.FAILED
        verified = engine.in_place(result.application) if result.application is not None else None
        told.append(_as_json(plan, result, verified))
        if args.format == "text":
            _print_result(plan, result, verified, tr)
    if args.format == "json":
        from oomlens.cli import jsonout

        jsonout.write_value(told)
    return code


def _as_json(plan: Plan, result: Result, verified: bool | None) -> dict[str, Any]:
    application = result.application.id if result.application is not None else None
    steps = {name: progress.value for name, progress in result.progress.items()}
    return {"plan": plan.id, "application": application, "steps": steps, "verified": verified, "refused": []}


def _say_by_hand(plan: Plan, error: RefusedError, args: argparse.Namespace, tr: Translate) -> None:
    """For whoever may do it, where that is all that is missing: the exact commands."""
    from oomlens.render.plan import shell

    if not error.denied:
        if error.diff:
            say(tr("make the plan anew: oomlens plan {words}").format(words=shlex.join(plan.argv) or "…"))
        return
    prefix = "" if str(args.root) == "/" else str(args.root)
    say(tr("whoever may do it can do the same by hand:"))
    sys.stderr.write(shell([plan], tr, prefix=prefix))


def _print_result(plan: Plan, result: Result, verified: bool | None, tr: Translate) -> None:
    from oomlens.render.plan import progress_lines, told

    sys.stdout.write(f"{plan.id}  {told(plan.title, tr)}\n")
    sys.stdout.write("".join(f"{line}\n" for line in progress_lines(plan, result.progress, tr)))
    if result.application is None:
        sys.stdout.write(f"  {tr('nothing was left to do')}\n")
        return
    words = {True: tr("verified: everything reads back as planned"), None: tr("some of it cannot be read back")}
    sys.stdout.write(f"  {words.get(verified, tr('not everything reads back as planned'))}\n")
    sys.stdout.write(f"  {tr('take it back')}: oomlens rollback {result.application.id}\n")
    sys.stdout.write(f"  {tr('did it help')}: oomlens verify {result.application.id}\n")


def say_refused(what: str, error: RefusedError, tr: Translate) -> None:
    """Why nothing was changed, on stderr, with the diff."""
    from oomlens.render.plan import told
    from oomlens.render.sanitize import visible

    for reason in error.reasons:
        say(f"error: {what}: {told(reason, tr)}")
    for line in error.diff:
        sys.stderr.write(f"  {visible(line)}\n")


def journal_problem(error: Exception, tr: Translate) -> str:
    """What is wrong with the journal, and what to do."""
    from oomlens.apply.journal import BusyError

    if isinstance(error, BusyError):
        return tr("another oomlens is changing this machine ({lock}); wait for its end").format(lock=error)
    return f"{error}; {tr('run it with sudo, or give another folder with --state')}"
