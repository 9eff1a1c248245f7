"""`oomlens plan`: what would be changed, why, and how it is taken back. Changes nothing."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from oomlens.cli.planning import KINDS
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.finding import Diagnosis
    from oomlens.model.plan import Plan, Refusal
    from oomlens.model.wish import Wish

NAME = "plan"


def describe(tr: Translate) -> str:
    return tr("plan a change that keeps it from happening again: sized, shown, reversible; changes nothing itself")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan                                   for the latest incident, and for what is risky on this machine
  oomlens plan swap --size 4G --out plan.json    a wish of your own; then: sudo oomlens apply plan.json
  oomlens plan sysctl vm.swappiness=10 --show-commands
  oomlens plan --source sosreport.tar.xz --format json""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "--source", action="append", default=[], metavar="SOURCE", help=tr("logs with the incident (default: this machine's)")
    )  # fmt: skip
    parser.add_argument("--incident", metavar="ID", help=tr("the incident with this id (default: the latest)"))
    _add_common(parser, tr, below=False)
    add_kinds(parser, tr)


def add_kinds(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """A parser for each kind, below its words."""
    groups: dict[tuple[str, ...], Any] = {(): parser.add_subparsers(dest="kind", metavar=tr("KIND"))}
    for module in KINDS:
        *above, name = module.PATH
        if tuple(above) not in groups:
            group = groups[()].add_parser(above[0], help=tr("limits of units, containers and pods"))
            groups[tuple(above)] = group.add_subparsers(dest="what", metavar=tr("KIND"), required=True)
        kind = groups[tuple(above)].add_parser(
            name,
            help=module.describe(tr),
            description=module.describe(tr),
            epilog=module.epilog(tr),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(kind, tr)
        _add_common(kind, tr, below=True)
        kind.set_defaults(planner=module)


def _add_common(parser: argparse.ArgumentParser, tr: Translate, *, below: bool) -> None:
    """What `plan` and each kind take; below, a default would undo what was given above."""

    def default(value: object) -> object:
        return argparse.SUPPRESS if below else value

    parser.add_argument(
        "--out", type=Path, metavar="FILE", default=default(None), help=tr("write the plan there, for oomlens apply")
    )
    parser.add_argument(
        "--show-commands", action="store_true", default=default(False), help=tr("print the plain shell that does the same")
    )  # fmt: skip
    parser.add_argument(
        "--show-undo", action="store_true", default=default(False), help=tr("print the plain shell that takes it back")
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "json"), default=default("text"), help=tr("how to print (default: text)")
    )
    parser.add_argument(
        "--root", type=Path, default=default(Path("/")), metavar="DIR", help=tr("plan for the files below DIR: a mounted disk")
    )  # fmt: skip
    if below:  # the verb itself has it already
        parser.add_argument(
            "--lang", choices=("en", "ja"), default=argparse.SUPPRESS, help=tr("language (default: from the locale)")
        )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Plan, Refusal

    reader = Reader(args.root)
    planner: ModuleType | None = getattr(args, "planner", None)
    proposals = list(planner.propose(args, reader) if planner is not None else _proposed(args, reader, tr))
    plans = [each for each in proposals if isinstance(each, Plan)]
    refusals = [each for each in proposals if isinstance(each, Refusal)]
    if not proposals:
        say(tr("nothing to plan: no incident whose cause a plan could mend, and no risky setting"))
    code = _print(plans, refusals, args, tr)
    if planner is not None and not plans:
        return ExitCode.FAILED
    return code


def _proposed(args: argparse.Namespace, reader: Reader, tr: Translate) -> Iterator[Plan | Refusal]:
    """For the incident and the risks, each wish once."""
    from oomlens.plan.wishes import wishes_of_incident, wishes_of_risks
    from oomlens.predict.risks import risks_of

    diagnosis = _incident(args, tr)
    incident = diagnosis.incident.report.id if diagnosis is not None else None
    asked: set[tuple[str, ...]] = set()
    wishes = [(wish, incident) for wish in (wishes_of_incident(diagnosis) if diagnosis is not None else ())]
    wishes += [(wish, None) for wish in wishes_of_risks(risks_of(reader.snapshot))]
    for wish, made_for in wishes:
        if wish.argv[:1] in {known[:1] for known in asked} and wish.argv[0] == "swap":
            continue  # one way to more swap is enough
        if wish.argv in asked:
            continue
        asked.add(wish.argv)
        yield from _for_wish(wish, made_for, args, reader, tr)


def _incident(args: argparse.Namespace, tr: Translate) -> Diagnosis | None:
    from oomlens.cli.incidents import diagnosed
    from oomlens.cli.reading import Reading

    asked = argparse.Namespace(
        sources=args.source, root=args.root, no_progress=False, quiet=not args.source, exit_code=False
    )
    found = diagnosed(Reading(asked, tr), args.incident, tr)
    if found.problem:
        say(found.problem)
    return found.diagnosis


def _for_wish(
    wish: Wish, incident: str | None, args: argparse.Namespace, reader: Reader, tr: Translate
) -> Sequence[Plan | Refusal]:
    from oomlens.model.plan import Plan

    parser = argparse.ArgumentParser(prog="oomlens plan")
    add_kinds(parser, tr)
    try:
        given = parser.parse_args([*wish.argv, "--root", str(args.root)])
    except SystemExit:
        return ()  # this kind does not know the wish
    found = given.planner.propose(given, reader)
    return [
        replace(each, incident=incident, why=(wish.why, *each.why), argv=each.argv or wish.argv)
        if isinstance(each, Plan)
        else each
        for each in found
    ]


def document(plans: Sequence[Plan], refusals: Sequence[Refusal]) -> dict[str, Any]:
    """The plans as JSON values, with the shell of each step."""
    from oomlens.model.plan_codec import document_of
    from oomlens.plan.actions import commands_of, undo_commands_of

    made = document_of(plans, refusals)
    for plan, shown in zip(plans, made["plans"], strict=True):
        for step, row in zip(plan.steps, shown["steps"], strict=True):
            row["commands"], row["undo_commands"] = list(commands_of(step)), list(undo_commands_of(step))
    return made


def _print(plans: Sequence[Plan], refusals: Sequence[Refusal], args: argparse.Namespace, tr: Translate) -> int:
    import orjson

    from oomlens.render import plan as page

    if args.out is not None and plans:
        data = orjson.dumps(document(plans, refusals), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        try:
            args.out.write_bytes(data)
        except OSError as error:
            say(f"error: {args.out}: {error.strerror}")
            return ExitCode.FAILED
    if args.format == "json":
        from oomlens.cli import jsonout

        jsonout.write_value(document(plans, refusals))
        return ExitCode.DONE
    prefix = "" if str(args.root) == "/" else str(args.root)
    if args.show_commands or args.show_undo:
        shown = [page.shell(plans, tr, prefix=prefix)] if args.show_commands else []
        shown += [page.shell(plans, tr, prefix=prefix, undo=True)] if args.show_undo else []
        sys.stdout.write("\n".join(shown))
        sys.stderr.write(page.render((), refusals, tr))
        return ExitCode.DONE
    sys.stdout.write(page.render(plans, (), tr))
    sys.stderr.write(page.render((), refusals, tr))
    if args.out is not None and plans:
        say(tr("next: {command}").format(command=f"{_as_whom(plans)}oomlens apply {shlex.quote(str(args.out))}"))
    elif plans:
        command = f"{_as_whom(plans)}oomlens apply plan.json"
        say(tr("nothing was changed; to do it: the same with --out plan.json, then {command}").format(command=command))
    return ExitCode.DONE


def _as_whom(plans: Sequence[Plan]) -> str:
    """`sudo`, where more is changed than a cluster and files of one's own."""
    own = all(
        step.action in ("by-hand", "kubernetes-apply", "kubernetes-resize")
        or (step.action == "edit-file" and os.access(step.target, os.W_OK))
        for plan in plans
        for step in plan.steps
    )
    return "" if own else "sudo "
