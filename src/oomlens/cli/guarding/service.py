"""`oomlens guard install`, `uninstall` and `restore`."""

from __future__ import annotations

import argparse
from pathlib import Path

from oomlens.cli import services
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    texts = {
        "install": tr("write a hardened systemd unit and start it; shows it first"),
        "uninstall": tr("end the service and remove its unit; its log stays"),
        "restore": tr("lift what a guard that is gone left frozen or throttled"),
    }
    parser = actions.add_parser(name, help=texts[name], description=texts[name])
    if name == "restore":
        return
    if name == "install":
        # Also behind the word, where people write them.
        parser.add_argument(
            "--preset",
            default=argparse.SUPPRESS,
            metavar="NAME",
            help=tr("desktop, server, container-host or kubernetes-node (default: server)"),
        )
        parser.add_argument(
            "--config",
            type=Path,
            default=argparse.SUPPRESS,
            metavar="FILE",
            help=tr("configuration (default: /etc/oomlens/guard.toml where there is one)"),
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            default=argparse.SUPPRESS,
            help=tr("the service ends nobody; it says what it would do"),
        )
    parser.add_argument(
        "--root",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help=tr("install below DIR instead of this machine"),
    )
    parser.add_argument("-y", "--yes", action="store_true", help=tr("do not ask"))


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries one of them out; returns the exit code."""
    if args.action == "restore":
        return _restore(args, tr)
    return services.carry_out(
        args, tr, lambda: _install(args, tr) if args.action == "install" else _uninstall(args, tr)
    )


def _install(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.cli.guarding.reading import table_or_say
    from oomlens.guard.people import install, unit
    from oomlens.host import service_units

    table = table_or_say(args, tr)
    if table is None:
        return ExitCode.FAILED
    program = service_units.this_program(["guard", *_arguments(args)])
    if not service_units.has_systemd(args.root):
        services.say_by_hand(program, tr)
        return ExitCode.FAILED
    restore = service_units.this_program(["guard", "restore"]).command
    text = install.planned_unit(program, restore, args.root, install.needs_of(table))
    if not services.installed(unit.UNIT, text, program, args, tr, lambda: install.install(text, args.root)):
        return ExitCode.FAILED
    told = tr(
        "installed; see it: systemctl status {name}; what it does: oomlens guard log; take it back: oomlens guard uninstall"
    )
    say(told.format(name=unit.UNIT.name))
    return ExitCode.DONE


def _arguments(args: argparse.Namespace) -> list[str]:
    """What the service is started with: only what was said."""
    found: list[str] = []
    if args.config is not None:
        found += ["--config", str(args.config.absolute())]
    if args.preset is not None:
        found += ["--preset", args.preset]
    if args.dry_run:
        found.append("--dry-run")
    return found


def _uninstall(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.guard.people import install, unit

    if not services.uninstalled(unit.UNIT, args, tr, lambda: install.uninstall(args.root)):
        return ExitCode.FAILED
    say(tr("removed; its log stays in /var/log/oomlens"))
    return ExitCode.DONE


def _restore(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.guard.people.restore import restore
    from oomlens.host.read.tree import below
    from oomlens.render.sanitize import visible

    words = {
        "restored": tr("restored"), "changed-since": tr("changed since; it stays"), "gone": tr("gone"),
        "refused": tr("refused: not a file of the guard's"),
    }  # fmt: skip
    done = restore(below(args.root, "/run/oomlens/guard"), args.root)
    for path, what in done:
        say(f"{visible(path)}: {words.get(what, visible(what))}")
    failed = [what for _, what in done if what not in ("restored", "changed-since", "gone")]
    return ExitCode.FAILED if failed else ExitCode.DONE
