"""`oomlens record --install` and `--uninstall`."""

from __future__ import annotations

import argparse
from pathlib import Path

from oomlens.cli import services
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries one of them out; returns the exit code."""
    return services.carry_out(args, tr, lambda: _install(args, tr) if args.install else _uninstall(args, tr))


def _install(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.host import service_units
    from oomlens.record import install, unit

    program = service_units.this_program(["record", *_arguments(args)])
    if not service_units.has_systemd(args.root):
        services.say_by_hand(program, tr)
        return ExitCode.FAILED
    writable = [str(args.prometheus.absolute().parent)] if args.prometheus is not None else []
    folder = str(args.folder.absolute()) if args.folder is not None else unit.DEFAULT_FOLDER
    text = install.planned_unit(program, args.root, folder, writable)
    if not services.installed(unit.UNIT, text, program, args, tr, lambda: install.install(text, args.root)):
        return ExitCode.FAILED
    told = tr("installed; see it: systemctl status {name}; take it back: oomlens record --uninstall")
    say(told.format(name=unit.UNIT.name))
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

    if not services.uninstalled(unit.UNIT, args, tr, lambda: install.uninstall(args.root)):
        return ExitCode.FAILED
    say(tr("removed; the history stays: {folder}").format(folder=unit.DEFAULT_FOLDER))
    return ExitCode.DONE
