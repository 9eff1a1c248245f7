"""`oomlens guard`: acts before the kernel has to."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from oomlens.i18n import Translate

NAME = "guard"
# Action → the module in cli/guarding that carries it out.
ACTIONS = {
    "check": "check",
    "config": "config",
    "install": "service",
    "labels": "labels",
    "log": "log",
    "metrics": "metrics",
    "replay": "replay",
    "restore": "service",
    "tell": "tell",
    "uninstall": "service",
}


def describe(tr: Translate) -> str:
    return tr("keep the machine responsive: act, gently first, before the kernel has to kill")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens guard check                            could it act here, and whom would it kill now?
  sudo oomlens guard --dry-run                   watch, and say what it would do
  sudo oomlens guard install --preset server     a systemd service from now on
  oomlens guard log                              what it did, and why
  oomlens guard config --show server             the preset as a file to start from
  sudo oomlens guard uninstall                   takes the service back""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    _add_place(parser, tr, default=None)
    parser.add_argument("--dry-run", action="store_true", help=tr("kill and change nothing; say what it would do"))
    actions = parser.add_subparsers(dest="action", title=tr("actions"), metavar=" | ".join(ACTIONS))
    for name, module in ACTIONS.items():
        import_module(f"oomlens.cli.guarding.{module}").add_arguments(name, actions, tr)


def _add_place(parser: argparse.ArgumentParser, tr: Translate, default: str | None) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=default,
        metavar="FILE",
        help=tr("configuration (default: /etc/oomlens/guard.toml where there is one)"),
    )
    parser.add_argument(
        "--preset",
        default=default,
        metavar="NAME",
        help=tr("desktop, server, container-host or kubernetes-node (default: server)"),
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=default or Path("/"),
        metavar="DIR",
        help=tr("watch the machine below DIR (for tests)"),
    )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    module = "start" if args.action is None else ACTIONS[args.action]
    return int(import_module(f"oomlens.cli.guarding.{module}").run(args, tr))
