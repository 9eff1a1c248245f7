"""What verbs share that put a service of ours in place: who may, what is shown and asked, what went wrong."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from oomlens.cli.terminal import ExitCode, agreed, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.run import Output
    from oomlens.host.service_units import InstallError, Program, Unit


def carry_out(args: argparse.Namespace, tr: Translate, work: Callable[[], int]) -> int:
    """Works where root is (or below another root), and says what went wrong; returns the exit code."""
    from oomlens.host.service_units import InstallError, UnitError

    if str(args.root) == "/" and os.geteuid() != 0:
        say(f"error: {tr('only root may do that; run it with sudo')}")
        return ExitCode.FAILED
    try:
        return work()
    except InstallError as error:
        say(f"error: {_problem(error, tr)}")
    except UnitError as error:
        say(f"error: {tr('a unit file cannot name this path: {path}').format(path=repr(str(error)))}")
    except OSError as error:
        say(f"error: {error.filename or args.root}: {error.strerror}")
    return ExitCode.FAILED


def say_by_hand(program: Program, tr: Translate) -> None:
    """How to start it where there is no systemd."""
    say(f"error: {tr('this machine is not run by systemd; have your own supervisor start this as root')}:")
    needed = [f"{name}={value}" for name, value in program.environment.items()]
    say(f"  {shlex.join([*(['env', *needed] if needed else []), *program.command])}")


def installed(
    unit: Unit,
    text: str,
    program: Program,
    args: argparse.Namespace,
    tr: Translate,
    install: Callable[[], Sequence[Output]],
) -> bool:
    """Shows the unit, warns, asks, installs; whether all went well."""
    from oomlens.host.service_units import writable_by_others

    sys.stdout.write(f"# {unit.path}\n{text}")
    sys.stdout.flush()
    for place in writable_by_others(program):
        say(tr("warning: {place} may be changed by others than root, and would run as root").format(place=place))
    return _done(unit, tr("Write this and start it?"), args, tr, install)


def uninstalled(unit: Unit, args: argparse.Namespace, tr: Translate, uninstall: Callable[[], Sequence[Output]]) -> bool:
    """Asks, ends it and removes its unit; whether all went well."""
    return _done(unit, tr("End the service and remove {path}?").format(path=unit.path), args, tr, uninstall)


def _done(
    unit: Unit, question: str, args: argparse.Namespace, tr: Translate, work: Callable[[], Sequence[Output]]
) -> bool:
    if not args.yes and not agreed(question, tr):
        say(tr("nothing was changed"))
        return False
    answers = work()
    if answers and answers[-1].returncode != 0:
        said = answers[-1].stderr or answers[-1].stdout
        hint = tr("see: journalctl -u {unit}").format(unit=unit.name.removesuffix(".service"))
        say(f"error: systemctl: {said.strip()}; {hint}")
        return False
    return True


def _problem(error: InstallError, tr: Translate) -> str:
    texts = {
        "foreign-unit": tr("{detail} was not written by oomlens; it stays as it is"),
        "no-program": tr("{detail} cannot start oomlens by itself; install it there first: pip install oomlens"),
        "not-installed": tr("{detail} is not there; nothing to remove"),
    }
    return texts[error.reference].format(detail=error.detail)
