"""`oomlens plan sacrifice`: the kernel shall choose it first."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.cli.planning.protect import add_target, planned
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("sacrifice",)


def describe(tr: Translate) -> str:
    return tr("let the kernel choose these processes first, now and over restarts")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan sacrifice build-agent.service
  oomlens plan sacrifice chrome --adj 800 --out plan.json; sudo oomlens apply plan.json""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    add_target(parser, tr)
    parser.add_argument("--adj", type=int, metavar="N", help=tr("oom_score_adj, -1000 to 1000 (default: 500)"))


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    return planned("sacrifice", args, reader)
