"""`oomlens plan swap`: a swap file or compressed RAM, added, enlarged or removed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate
from oomlens.kernel.sizes import bytes_of

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("swap",)


def describe(tr: Translate) -> str:
    return tr("add swap: a file on ext4, xfs or btrfs, or compressed RAM; enlarge it, remove it")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan swap                              as much as this machine's RAM asks for, in /swapfile
  oomlens plan swap --size 4G --path /swapfile --out plan.json; sudo oomlens apply plan.json
  oomlens plan swap --zram                       in compressed RAM, where no disk can hold it
  oomlens plan swap --grow /swapfile --size 8G   a second file beside it; with --replace one larger file
  oomlens plan swap --remove /swapfile           off, out of fstab, gone""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("--size", type=size, metavar="SIZE", help=tr("how much, such as 4G (default: from the RAM)"))
    parser.add_argument(
        "--shortage", type=size, metavar="SIZE", help=tr("what an incident lacked: at least that much is added")
    )
    parser.add_argument("--path", default=None, metavar="PATH", help=tr("the file (default: /swapfile)"))
    parser.add_argument(
        "--priority", type=int, metavar="N", help=tr("0 to 32767; the highest is used first (default: after all others; zram: 100)")
    )  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--zram", action="store_true", help=tr("compressed RAM instead of a file"))
    what.add_argument(
        "--grow", nargs="?", const="", metavar="PATH", help=tr("enlarge that swap (default: the largest) to --size, by a second file")
    )  # fmt: skip
    what.add_argument("--remove", metavar="PATH", help=tr("turn that swap off and remove its file"))
    parser.add_argument("--replace", action="store_true", help=tr("with --grow: one larger file in its place"))
    parser.add_argument(
        "--resident-limit", type=size, metavar="SIZE", help=tr("with --zram: the RAM that it may take (default: no limit)")
    )  # fmt: skip
    parser.add_argument(
        "--until-reboot", action="store_true", help=tr("leave fstab and units as they are: it is gone after a reboot")
    )  # fmt: skip
    parser.add_argument(
        "--fstab", default="/etc/fstab", metavar="FILE", help=tr("the table to keep it in (default: /etc/fstab)")
    )  # fmt: skip


def size(text: str) -> int:
    """A size of an argument, in bytes."""
    found = bytes_of(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size, such as 512M or 4G")
    return found


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    from oomlens.host.read.swap_facts import read_swap_facts
    from oomlens.plan.kinds.swap import propose as planned
    from oomlens.plan.swap.facts import SwapWish

    wish = SwapWish(
        path=args.path or SwapWish().path,
        size_bytes=args.size,
        shortage_bytes=args.shortage,
        priority=args.priority,
        zram=args.zram,
        resident_limit_bytes=args.resident_limit,
        grow=args.grow,
        replace=args.replace,
        remove=args.remove,
        until_reboot=args.until_reboot,
        fstab=args.fstab,
    )
    return planned(wish, read_swap_facts(wish, reader))
