"""`oomlens plan limit unit`: memory limits of a systemd unit."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate, message
from oomlens.kernel.sizes import bytes_of

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("limit", "unit")


def describe(tr: Translate) -> str:
    return tr("memory limits of a systemd unit: a drop-in for good, set-property for now")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan limit unit nginx.service                    sized from what it used
  oomlens plan limit unit nginx --max 1G --high 900M --out plan.json; sudo oomlens apply plan.json
  oomlens plan limit unit nginx --oom-policy continue --oom-score-adjust=-500
  oomlens plan limit unit user-.slice --max 8G             every user's sessions""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("unit", metavar="UNIT", help=tr("a service, slice or scope; user-.slice: of all users"))
    parser.add_argument(
        "--max", type=size, metavar="SIZE", help=tr("MemoryMax: at this it is killed (default: from what it used)")
    )
    parser.add_argument("--high", type=size, metavar="SIZE", help=tr("MemoryHigh: above this it is slowed down"))
    parser.add_argument("--swap-max", type=size, metavar="SIZE", help=tr("MemorySwapMax: the swap that it may use"))
    parser.add_argument("--low", type=size, metavar="SIZE", help=tr("MemoryLow: kept for it while others can give"))
    parser.add_argument("--min", type=size, metavar="SIZE", help=tr("MemoryMin: kept for it whatever happens"))
    parser.add_argument("--oom-policy", metavar="WORD", help=tr("OOMPolicy: stop, continue or kill"))
    parser.add_argument("--oom-score-adjust", type=int, metavar="N", help=tr("OOMScoreAdjust, -1000 to 1000"))
    parser.add_argument(
        "--even-below-usage", action="store_true", help=tr("also where it uses more now: it is then killed")
    )


def size(text: str) -> int:
    """A size of an argument, in bytes."""
    found = 0 if text == "0" else bytes_of(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size, such as 512M or 4G")
    return found


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    from oomlens.host.read.unit_facts import read_unit
    from oomlens.model.plan import Refusal, Text
    from oomlens.plan.kinds.limit_unit import propose as planned
    from oomlens.plan.units.facts import full_name
    from oomlens.plan.units.limit_wish import KIND, LimitWish
    from oomlens.plan.units.promised import promised_bytes

    name = full_name(args.unit)
    if name is None:
        text = Text(message("{unit} cannot be the name of a unit."), {"unit": args.unit})
        return [
            Refusal("unit-name", KIND, args.unit, text, Text(message("systemctl list-units --all prints their names.")))
        ]
    facts = read_unit(reader, name)
    wish = LimitWish(
        unit=facts.name,
        max_bytes=args.max,
        high_bytes=args.high,
        swap_max_bytes=args.swap_max,
        low_bytes=args.low,
        min_bytes=args.min,
        oom_policy=args.oom_policy,
        oom_score_adj=args.oom_score_adjust,
        promised_bytes=promised_bytes(reader.snapshot.cgroups, facts.usage.path if facts.usage is not None else None),
        even_below_usage=args.even_below_usage,
    )
    return planned(wish, facts)
