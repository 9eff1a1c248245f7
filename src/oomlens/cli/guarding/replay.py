"""`oomlens guard replay`: decide a recorded run again."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.guard.replay import Log, Outcome, Replayed

SCHEMA = "oomlens/guard-replay/1"


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("decide a recorded run again")
    about = tr(
        "Takes each decision in a guard's log again, by this configuration. Exit code 0: all are the same; 10: some differ."
    )
    parser = actions.add_parser(name, help=text, description=f"{text}. {about}")
    parser.add_argument("file", metavar="FILE", help=tr("a guard's log; - for standard input"))
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to show it"))


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.cli.guarding.reading import table_or_say
    from oomlens.guard.replay import replay
    from oomlens.render.sanitize import visible

    table = table_or_say(args, tr)
    if table is None:
        return ExitCode.FAILED
    name = tr("standard input") if args.file == "-" else args.file
    try:
        if args.file == "-":
            log = replay(sys.stdin.buffer, table)
        else:
            with open(args.file, "rb") as file:  # noqa: PTH123 - as it was typed
                log = replay(file, table)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or tr("this is no file's name")
        say(f"error: {visible(name)}: {why}; {tr('give the file that log.file of the configuration names')}")
        return ExitCode.FAILED
    if not log.events:
        told = tr("{file} holds no event of a guard; give the file that log.file of the configuration names")
        say(f"error: {told.format(file=visible(name))}")
        return ExitCode.FAILED
    if args.format == "json":
        import json

        sys.stdout.write(json.dumps(_as_dict(log, table), indent=2) + "\n")
    else:
        _write(log, tr)
    return ExitCode.DONE if all(each.same for each in log.decisions) else ExitCode.INCIDENT


def _as_dict(log: Log, table: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "source": table["source"],
        "digest": table["digest"],
        "events": log.events,
        "damaged_lines": log.damaged,
        "decisions": [
            {
                **each._asdict(),
                "same": each.same,
                "then": _outcome_as_dict(each.then),
                "now": None if each.now is None else _outcome_as_dict(each.now),
            }
            for each in log.decisions
        ],
    }


def _outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    rows = [dict(zip(("name", "value", "comparison", "bound"), row, strict=True)) for row in outcome.evidence]
    return {**outcome._asdict(), "evidence": rows}


def _write(log: Log, tr: Translate) -> None:
    from oomlens.render.sanitize import visible

    out = sys.stdout.write
    for each in log.decisions:
        place = tr("line {line}, {time}, {scope}").format(
            line=each.line, time=visible(each.time), scope=visible(each.scope)
        )
        if each.same:
            out(f"{place}: {tr('same')}: {_told(each.then, tr)}\n")
            continue
        out(f"{place}: {tr('different')}\n")
        out(f"  {tr('then')}: {_told(each.then, tr)}\n")
        out(f"  {tr('now')}: {_now(each, tr)}\n")
    partial = sum(each.partial for each in log.decisions)
    if partial:
        out(
            tr(
                "decisions where the log does not hold every process, so that how much was taken along is not compared: {count}"
            ).format(count=partial)
            + "\n"
        )
    if log.damaged:
        out(tr("lines that are no event of a guard and are left out: {count}").format(count=log.damaged) + "\n")
    same = sum(each.same for each in log.decisions)
    told = tr("decisions: {count}; the same: {same}; different: {different}")
    out(told.format(count=len(log.decisions), same=same, different=len(log.decisions) - same) + "\n")


def _now(each: Replayed, tr: Translate) -> str:
    if each.problem == "no-scope":
        return tr("this configuration has no scope of that name")
    if each.now is None:
        return tr("the event does not hold what deciding needs")
    return _told(each.now, tr)


def _told(outcome: Outcome, tr: Translate) -> str:
    """One line: the road, the signal, whom it hits, and why."""
    from oomlens.render.sanitize import visible

    if outcome.road is None:
        return tr("no need to act")
    if outcome.pid is None:
        what = tr("nobody ({reason})").format(reason=visible(outcome.reason or "?"))
    else:
        signal = "SIGKILL" if outcome.strength > 1 else "SIGTERM"
        what = tr("{signal} to {pid} ({name}), {points} points").format(
            signal=signal, pid=outcome.pid, name=visible(outcome.comm), points=outcome.points
        )
        if outcome.object != "process":
            what += f", {visible(outcome.object)} {visible(outcome.target_cgroup or '')}".rstrip()
            what += " " + tr("(processes: {count})").format(count=outcome.processes)
    why = ", ".join(visible(f"{name} {value} {sign} {bound}") for name, value, sign, bound in outcome.evidence)
    return f"{visible(outcome.road)}: {what}: {why}"
