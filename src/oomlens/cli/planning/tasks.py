"""`oomlens plan tasks`: fewer processes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("tasks",)


def describe(tr: Translate) -> str:
    return tr("fewer processes: TasksMax of a unit, as many workers as the memory holds, ulimit of a user")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan tasks php8.2-fpm.service          TasksMax, and pm.max_children from what each worker holds
  oomlens plan tasks apache2 --only workers
  oomlens plan tasks ci.service --max 300
  oomlens plan tasks --user build --max 500      ulimit -u""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "target", nargs="?", default="", metavar="TARGET", help=tr("a unit, a container or a process name")
    )
    parser.add_argument(
        "--max",
        type=_count,
        metavar="N",
        help=tr("processes and threads at most (default: today's and half as many more)"),
    )
    parser.add_argument(
        "--workers", type=_count, metavar="N", help=tr("workers of its pool (default: as many as the memory holds)")
    )
    parser.add_argument("--only", choices=("max", "workers"), help=tr("only the limit, or only the workers"))
    parser.add_argument("--user", metavar="NAME", help=tr("processes of a login user"))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 on, such as 200")
    return int(text)


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plans, or why there are none."""
    from oomlens.host.read.tasks_facts import read_tasks_facts
    from oomlens.plan.kinds.tasks import propose as planned
    from oomlens.plan.tasks.facts import TasksWish

    wish = TasksWish(args.target, args.max, args.workers, args.user, args.only)
    return planned(wish, read_tasks_facts(reader, args.target, args.user))
