"""`oomlens record --install` and `--uninstall`."""

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


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries one of them out; returns the exit code."""
    from oomlens.host.service_units import InstallError, UnitError

    if str(args.root) == "/" and os.geteuid() != 0:
        say(f"error: {tr('only root may do that; run it with sudo')}")
        return ExitCode.FAILED
    try:
        return _install(args, tr) if args.install else _uninstall(args, tr)
    except InstallError as error:
        say(f"error: {_problem(error, tr)}")
    except UnitError as error:
        say(f"error: {tr('a unit file cannot name this path: {path}').format(path=repr(str(error)))}")
    except OSError as error:
        say(f"error: {error.filename or args.root}: {error.strerror}")
    return ExitCode.FAILED


def _install(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.host import service_units
    from oomlens.record import install, unit

    if not service_units.has_systemd(args.root):
        say(f"error: {tr('this machine is not run by systemd; have your own supervisor start this as root')}:")
        program = service_units.this_program(["record", *_arguments(args)])
        needed = [f"{name}={value}" for name, value in program.environment.items()]
        say(f"  {shlex.join([*(['env', *needed] if needed else []), *program.command])}")
        return ExitCode.FAILED
    program = service_units.this_program(["record", *_arguments(args)])
    writable = [str(args.prometheus.absolute().parent)] if args.prometheus is not None else []
    folder = str(args.folder.absolute()) if args.folder is not None else unit.DEFAULT_FOLDER
    text = install.planned_unit(program, args.root, folder, writable)
    sys.stdout.write(f"# {unit.PATH}\n{text}")
    sys.stdout.flush()
    for place in service_units.writable_by_others(program):
        say(tr("warning: {place} may be changed by others than root, and would run as root").format(place=place))
    if not args.yes and not _agreed(tr("Write this and start it?"), tr):
        say(tr("nothing was changed"))
        return ExitCode.FAILED
    if not _answered(install.install(text, args.root), tr):
        return ExitCode.FAILED
    say(
        tr("installed; see it: systemctl status {name}; take it back: oomlens record --uninstall").format(
            name=unit.NAME
        )
    )
    return ExitCode.DONE


def _arguments(args: argparse.Namespace) -> list[str]:
    """What the service is started with: only what differs from the defaults."""
    found: list[str] = []
    if args.folder is not None:
        found += ["--folder", str(args.folder.absolute())]
    if args.keep != 86400.0:
        found += ["--keep", f"{args.keep:g}s"]
    if args.max_size != 64 << 20:
        found += ["--max-size", str(args.max_size)]
    if args.interval != 10.0:
        found += ["--interval", f"{args.interval:g}s"]
    if args.prometheus is not None:
        found += ["--prometheus", str(Path(args.prometheus).absolute())]
    return found


def _uninstall(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.record import install, unit

    if not args.yes and not _agreed(tr("End the service and remove {path}?").format(path=unit.PATH), tr):
        say(tr("nothing was changed"))
        return ExitCode.FAILED
    if not _answered(install.uninstall(args.root), tr):
        return ExitCode.FAILED
    say(tr("removed; the history stays: {folder}").format(folder=unit.DEFAULT_FOLDER))
    return ExitCode.DONE


def _answered(answers: Sequence[Output], tr: Translate) -> bool:
    """Whether all went well; else what systemctl said."""
    if answers and answers[-1].returncode != 0:
        said = answers[-1].stderr or answers[-1].stdout
        say(f"error: systemctl: {said.strip()}; {tr('see: journalctl -u oomlens-record')}")
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
