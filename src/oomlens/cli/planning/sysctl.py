"""`oomlens plan sysctl`: settings of the kernel, now and at boot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal

PATH = ("sysctl",)


def describe(tr: Translate) -> str:
    return tr("set what decides how memory runs out (vm.swappiness, vm.overcommit_memory …), now and at boot")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan sysctl vm.swappiness=10
  oomlens plan sysctl vm.overcommit_memory=2 vm.overcommit_ratio=80 --show-commands
  oomlens plan sysctl vm.panic_on_oom=0 --until-reboot""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("settings", nargs="+", type=setting, metavar="KEY=VALUE", help=tr("such as vm.swappiness=10"))
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--until-reboot", action="store_true", help=tr("only now: no file of sysctl.d is changed"))
    when.add_argument("--at-boot", action="store_true", help=tr("only in sysctl.d: nothing changes now"))


def setting(text: str) -> tuple[str, str]:
    """Key and value of an argument."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=VALUE, such as vm.swappiness=10")
    return key.strip(), value.strip()


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    from oomlens.host.read.sysctl_facts import read_sysctl_facts
    from oomlens.plan.kinds.sysctl import SysctlWish
    from oomlens.plan.kinds.sysctl import propose as planned

    wish = SysctlWish(dict(args.settings), until_reboot=args.until_reboot, at_boot=args.at_boot)
    return planned(wish, read_sysctl_facts(reader))
