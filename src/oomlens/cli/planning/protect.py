"""`oomlens plan protect`: the kernel shall not choose it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("protect",)


def describe(tr: Translate) -> str:
    return tr("protect processes from the kernel's choice, now and over restarts; says who would die instead")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan protect postgresql@15-main.service       its processes, and its unit for good
  oomlens plan protect mysqld --adj=-900
  oomlens plan protect 4711 --out plan.json; sudo oomlens apply plan.json""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    add_target(parser, tr)
    parser.add_argument("--adj", type=int, metavar="N", help=tr("oom_score_adj, -1000 to 1000 (default: -500)"))
    parser.add_argument("--nobody-else", action="store_true", help=tr("even where nobody else could be killed then"))


def add_target(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """TARGET, as `sacrifice` takes it too."""
    parser.add_argument("target", metavar="TARGET", help=tr("a pid, a process name, a unit or a container"))


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    return planned("protect", args, reader)


def planned(kind: str, args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan of `protect` or `sacrifice`."""
    from oomlens.host.read.score_facts import read_score_facts
    from oomlens.plan.kinds.score import propose as proposals
    from oomlens.plan.score.facts import ScoreWish

    wish = ScoreWish(kind, args.target, args.adj, getattr(args, "nobody_else", False))
    return proposals(wish, read_score_facts(reader, args.target, wish.wanted))
