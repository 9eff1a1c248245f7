"""`oomlens predict`: whom the kernel would kill next."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from oomlens.cli import snapshots
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.prediction import ScopePrediction
    from oomlens.model.snapshot import Snapshot
    from oomlens.predict import Change, WhatIfError

NAME = "predict"


def describe(tr: Translate) -> str:
    return tr(
        "say whom the kernel would kill next, in the machine and in every cgroup with a limit, and how far off it is"
    )


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens predict                                who is next, and how many bytes are left
  oomlens predict --what-if 1234=+2G             … if process 1234 grows by 2 GiB
  oomlens predict --what-if adj:1234=-500        … if it is protected
  oomlens predict --what-if limit:nginx.service=1G --what-if swap=4G
  oomlens predict --format json | jq '.scopes[0].candidates[0]'""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "--what-if", action="append", default=[], metavar="CHANGE",
        help=tr("answer as if: PID=+2G, adj:PID=-500, limit:PATH=1G (or a unit or container), swap=4G; may be given several times"),
    )  # fmt: skip
    parser.add_argument(
        "-n", "--count", type=snapshots.at_least_one, metavar="N", help=tr("candidates of each scope (default: 5; json: all)")
    )  # fmt: skip
    parser.add_argument(
        "--nodes", type=_nodes, metavar="LIST", help=tr("also for tasks bound to these memory nodes (cpuset.mems), such as 0 or 0-1")
    )  # fmt: skip
    parser.add_argument(
        "--mempolicy", type=_nodes, metavar="LIST",
        help=tr("also for tasks whose memory policy binds them to these nodes (numactl --membind)"),
    )  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("how to print (default: text)"))
    snapshots.add_root(parser, tr)


def _nodes(text: str) -> frozenset[int]:
    from oomlens.predict.nodes import numbers_of

    found = numbers_of(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers of memory nodes, such as 0 or 0-1,3")
    return found


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.predict import WhatIfError, apply_changes, parse_change, predict

    try:
        changes = [parse_change(text) for text in args.what_if]
    except WhatIfError as error:
        say(f"error: {_problem(error, tr)}")
        return ExitCode.USAGE
    snapshot = _without_ourselves(snapshots.read(args.root, policies=args.mempolicy is not None), changes)
    if not snapshot.host.meminfo and not snapshot.processes:
        say(f"error: {tr('{root} has no readable /proc; mount it, or try another --root').format(root=args.root)}")
        return ExitCode.FAILED
    try:
        snapshot = apply_changes(snapshot, changes)
    except WhatIfError as error:
        say(f"error: {_problem(error, tr)}")
        return ExitCode.FAILED
    predictions = predict(snapshot, args.nodes, args.mempolicy)
    if args.format == "json":
        _print_json(predictions, snapshot, args)
    else:
        from oomlens.render import prediction

        sys.stdout.write(prediction.render(predictions, tr, count=args.count or 5, gaps=snapshot.gaps))
    return ExitCode.DONE


def _without_ourselves(snapshot: Snapshot, changes: list[Change]) -> Snapshot:
    """This very command is gone when it happens."""
    own = os.getpid()
    if any(change.kind in ("pid", "adj") and int(change.target) == own for change in changes):
        return snapshot
    return replace(snapshot, processes=tuple(process for process in snapshot.processes if process.pid != own))


def _problem(error: WhatIfError, tr: Translate) -> str:
    texts = {
        "adj": tr("{text}: oom_score_adj is a number from -1000 to 1000"),
        "no-cgroup": tr(
            "no memory cgroup has the path, unit or container {text}; oomlens status --format json lists them"
        ),
        "no-pid": tr("there is no process {text}; oomlens status lists the largest"),
        "no-sizes": tr("{text}: its size is not known, so it cannot be changed"),
        "several-cgroups": tr("several memory cgroups are called {text}; give the path"),
        "size": tr("{text}: not a size; try 512M, +2G or -1.5G"),
        "syntax": tr("--what-if {text}: expected PID=+2G, adj:PID=-500, limit:PATH=1G or swap=4G"),
    }
    return texts[error.code].format(text=error.text)


def _print_json(predictions: tuple[ScopePrediction, ...], snapshot: Snapshot, args: argparse.Namespace) -> None:
    from oomlens.cli import jsonout
    from oomlens.model.prediction import SCHEMA, prediction_to_dict

    jsonout.write_value(
        {
            "schema": SCHEMA,
            "time_seconds": snapshot.time_seconds,
            "kernel_release": snapshot.host.kernel_release,
            "what_if": args.what_if,
            "scopes": [prediction_to_dict(prediction, args.count) for prediction in predictions],
            "gaps": [{"what": gap.what, "why": gap.why} for gap in snapshot.gaps],
        }
    )
