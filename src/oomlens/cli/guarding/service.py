"""`oomlens guard install`, `uninstall` and `restore`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.host.run import Output


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
    from oomlens.host.service_units import InstallError, UnitError

    if args.action == "restore":
        return _restore(args, tr)
    if str(args.root) == "/" and os.geteuid() != 0:
        say(f"error: {tr('only root may do that; run it with sudo')}")
        return ExitCode.FAILED
    try:
        return _install(args, tr) if args.action == "install" else _uninstall(args, tr)
    except InstallError as error:
        say(f"error: {_problem(error, tr)}")
    except UnitError as error:
        say(f"error: {tr('a unit file cannot name this path: {path}').format(path=repr(str(error)))}")
    except OSError as error:
        say(f"error: {error.filename or args.root}: {error.strerror}")
    return ExitCode.FAILED


def _install(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.cli.guarding.reading import table_or_say
    from oomlens.guard.people import install, unit
    from oomlens.host import service_units

    table = table_or_say(args, tr)
    if table is None:
        return ExitCode.FAILED
    program = service_units.this_program(["guard", *_arguments(args)])
    if not service_units.has_systemd(args.root):
        say(f"error: {tr('this machine is not run by systemd; have your own supervisor start this as root')}:")
        needed = [f"{name}={value}" for name, value in program.environment.items()]
        say(f"  {shlex.join([*(['env', *needed] if needed else []), *program.command])}")
        return ExitCode.FAILED
    restore = service_units.this_program(["guard", "restore"]).command
    text = install.planned_unit(program, restore, args.root, install.needs_of(table))
    sys.stdout.write(f"# {unit.PATH}\n{text}")
    sys.stdout.flush()
    for place in service_units.writable_by_others(program):
        say(tr("warning: {place} may be changed by others than root, and would run as root").format(place=place))
    if not args.yes and not _agreed(tr("Write this and start it?"), tr):
        say(tr("nothing was changed"))
        return ExitCode.FAILED
    if not _answered(install.install(text, args.root), tr):
        return ExitCode.FAILED
    told = tr(
        "installed; see it: systemctl status {name}; what it does: oomlens guard log; take it back: oomlens guard uninstall"
    )
    say(told.format(name=unit.NAME))
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

    if not args.yes and not _agreed(tr("End the service and remove {path}?").format(path=unit.PATH), tr):
        say(tr("nothing was changed"))
        return ExitCode.FAILED
    if not _answered(install.uninstall(args.root), tr):
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


def _answered(answers: Sequence[Output], tr: Translate) -> bool:
    """Whether all went well; else what systemctl said."""
    if answers and answers[-1].returncode != 0:
        said = answers[-1].stderr or answers[-1].stdout
        say(f"error: systemctl: {said.strip()}; {tr('see: journalctl -u oomlens-guard')}")
        return False
    return True


def _agreed(question: str, tr: Translate) -> bool:
    if not sys.stdin.isatty():
        say(tr("there is no terminal to ask on; say --yes to carry it out"))
        return False
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes", "はい")


def _problem(error: Exception, tr: Translate) -> str:
    texts = {
        "foreign-unit": tr("{detail} was not written by oomlens; it stays as it is"),
        "no-program": tr("{detail} cannot start oomlens by itself; install it there first: pip install oomlens"),
        "not-installed": tr("{detail} is not there; nothing to remove"),
    }
    told = texts[getattr(error, "reference", "")]
    return told.format(detail=getattr(error, "detail", ""))
