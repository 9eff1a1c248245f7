"""`oomlens predict`: whom the kernel would kill next."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from oomlens.cli import snapshots
from oomlens.cli.past_samples import PastSamples, add_past_arguments
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.prediction import ScopePrediction
    from oomlens.model.snapshot import Snapshot
    from oomlens.predict import Change, WhatIfError

NAME = "predict"
# So many cgroups are shown in full; a container's id may be cut to so many letters.
_WHOLE = 6
_ID_LETTERS = 4


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
  oomlens predict --cgroup nginx --sample 1m     only this unit, and when, by what happens in a minute
  oomlens predict --watch 10s                    again and again; the longer, the better it knows when
  oomlens predict --format json | jq '.scopes[0].candidates[0]'""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    changes = tr(
        "answer as if: PID=+2G, adj:PID=-500, limit:PATH=1G (or a unit or container), swap=4G; may be given several times"
    )
    parser.add_argument("--what-if", action="append", default=[], metavar="CHANGE", help=changes)
    rows = tr("candidates of each scope (default: 5; json: all)")
    parser.add_argument("-n", "--count", type=snapshots.at_least_one, metavar="N", help=rows)
    only = tr("only this cgroup: its path, unit, container or a pattern of these; may be given several times")
    parser.add_argument("--cgroup", action="append", default=[], metavar="NAME", help=only)
    bound = tr("also for tasks bound to these memory nodes (cpuset.mems), such as 0 or 0-1")
    parser.add_argument("--nodes", type=_nodes, metavar="LIST", help=bound)
    policy = tr("also for tasks whose memory policy binds them to these nodes (numactl --membind)")
    parser.add_argument("--mempolicy", type=_nodes, metavar="LIST", help=policy)
    add_past_arguments(parser, tr)
    forms = tr("how to print (default: text)")
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text", help=forms)
    snapshots.add_root(parser, tr)


def _nodes(text: str) -> frozenset[int]:
    from oomlens.predict.nodes import numbers_of

    found = numbers_of(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers of memory nodes, such as 0 or 0-1,3")
    return found


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.predict import WhatIfError, parse_change

    try:
        changes = [parse_change(text) for text in args.what_if]
    except WhatIfError as error:
        say(f"error: {_problem(error, tr)}")
        return ExitCode.USAGE
    if args.watch is not None and args.format == "json":
        say(f"error: {tr('--watch prints one document after the other; try --format jsonl')}")
        return ExitCode.USAGE
    # What cannot be answered is told before anybody waits for it.
    code, answer = _answer(args, tr, changes, _read(args, changes))
    if code is not ExitCode.DONE:
        return code
    past = PastSamples(args, tr)
    past.sample(lambda: _read(args, []))
    while True:
        snapshot = _read(args, changes)
        past.add(snapshot)
        code, answer = _answer(args, tr, changes, snapshot)
        if code is ExitCode.DONE:
            _print(answer, past, args, tr)
        if code is not ExitCode.DONE or args.watch is None:
            return code
        sys.stdout.flush()
        time.sleep(args.watch)


def _read(args: argparse.Namespace, changes: list[Change]) -> Snapshot:
    return _without_ourselves(snapshots.read_named(args.root, policies=args.mempolicy is not None), changes)


class _Answer(NamedTuple):
    """snapshot: with the changes of --what-if."""

    snapshot: Snapshot
    predictions: tuple[ScopePrediction, ...]


def _answer(
    args: argparse.Namespace, tr: Translate, changes: list[Change], snapshot: Snapshot
) -> tuple[ExitCode, _Answer]:
    from oomlens.predict import WhatIfError, apply_changes, predict

    nothing = _Answer(snapshot, ())
    if not snapshot.host.meminfo and not snapshot.processes:
        say(f"error: {tr('{root} has no readable /proc; mount it, or try another --root').format(root=args.root)}")
        return ExitCode.FAILED, nothing
    try:
        changed = apply_changes(snapshot, changes)
    except WhatIfError as error:
        say(f"error: {_problem(error, tr)}")
        return ExitCode.FAILED, nothing
    predictions = predict(changed, args.nodes, args.mempolicy)
    if args.cgroup:
        predictions = tuple(each for each in predictions if _is_wanted(each, args.cgroup))
    if not predictions:
        text = tr("no cgroup with a limit of its own is called {names}; oomlens predict lists them")
        say(f"error: {text.format(names=', '.join(args.cgroup))}")
        return ExitCode.FAILED, nothing
    return ExitCode.DONE, _Answer(changed, predictions)


def _is_wanted(prediction: ScopePrediction, patterns: list[str]) -> bool:
    names = prediction.names
    if prediction.path is None or names is None:
        return False
    called = [
        prediction.path,
        prediction.path.lstrip("/"),
        names.unit,
        names.slice,
        names.container_name,
        names.container_id,
        names.pod_uid,
        names.pod_name,
    ]
    known = [name for name in called if name is not None]
    beginning = names.container_id or ""
    return any(
        any(fnmatchcase(name, pattern) or name == f"{pattern}.service" for name in known)
        or (len(pattern) >= _ID_LETTERS and beginning.startswith(pattern))
        for pattern in patterns
    )


def _print(answer: _Answer, past: PastSamples, args: argparse.Namespace, tr: Translate) -> None:
    from oomlens.predict.past import with_when

    predictions = with_when(answer.predictions, past.samples)
    if args.format != "text":
        _print_json(predictions, answer.snapshot, args)
        return
    from oomlens.render import prediction

    if args.watch is not None:
        sys.stdout.write(f"--- {datetime.now(UTC).astimezone().isoformat(timespec='seconds')}\n")
    whole = None if args.cgroup else _WHOLE
    gaps = answer.snapshot.gaps
    sys.stdout.write(prediction.render(predictions, tr, count=args.count or 5, whole=whole, gaps=gaps))


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

    (jsonout.write_value if args.format == "json" else jsonout.write_compact)(
        {
            "schema": SCHEMA,
            "time_seconds": snapshot.time_seconds,
            "kernel_release": snapshot.host.kernel_release,
            "what_if": args.what_if,
            "scopes": [prediction_to_dict(prediction, args.count) for prediction in predictions],
            "gaps": [{"what": gap.what, "why": gap.why} for gap in snapshot.gaps],
        }
    )
