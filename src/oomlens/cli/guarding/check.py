"""`oomlens guard check`: could the guard act here, and whom would it choose now?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.guard.check import Check, Outlook


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("could the guard act here, and whom would it end now? Ends nobody but a child of its own")
    parser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to print (default: text)"))


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; exit code 1 where the guard could not act."""
    from oomlens.cli.guarding.reading import table_or_say
    from oomlens.guard.check import MISSING, checks, outlooks

    table = table_or_say(args, tr)
    if table is None:
        return ExitCode.FAILED
    done, now = checks(table), outlooks(table)
    missing = [check for check in done if check.state == MISSING]
    if args.format == "json":
        _print_json(done, now)
    else:
        from oomlens.cli.guarding.check_lines import lines

        sys.stdout.write("".join(f"{line}\n" for line in lines(done, now, tr)))
    if missing:
        say(f"error: {tr('the guard could not act here')}: {', '.join(check.name for check in missing)}")
        return ExitCode.FAILED
    return ExitCode.DONE


def _print_json(done: list[Check], now: list[Outlook]) -> None:
    import json

    from oomlens.policy.candidate import candidate_as_dict
    from oomlens.policy.sample import as_dict
    from oomlens.policy.settings import level_kb

    scopes: list[dict[str, Any]] = []
    for each in now:
        choice, sample, scope = each.choice, each.sample, each.scope
        total = sample.total_kb if sample is not None else None
        scopes.append(
            {
                "name": scope.name,
                "sample": as_dict(sample) if sample is not None else None,
                **{
                    f"{name}_kb": None if total is None else level_kb(getattr(scope, name), total)
                    for name in ("warn", "term", "kill")
                },
                "victim": candidate_as_dict(choice.victim)
                if choice is not None and choice.victim is not None
                else None,
                "object": choice.object if choice is not None else None,
                "candidates": [candidate_as_dict(one) for one in choice.ranked[:10]] if choice is not None else [],
                "passed_over": [{"pid": one.pid, "comm": one.comm, "why": why} for one, why in choice.passed_over]
                if choice is not None
                else [],
                "reason": choice.reason if choice is not None else "no-limit",
                "took_ms": each.took_ms,
            }
        )
    rows = [{"name": check.name, "state": check.state, "detail": check.detail} for check in done]
    sys.stdout.write(json.dumps({"schema": "oomlens/guard-check/1", "checks": rows, "scopes": scopes}, indent=2) + "\n")
