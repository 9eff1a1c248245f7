"""`oomlens guard labels`: containers' labels for the loop, which asks for them where a rule names one."""

from __future__ import annotations

import argparse
import sys

from oomlens.cli.terminal import ExitCode
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("labels of containers by cgroup (asked for by the guard)")
    actions.add_parser(name, help=text, description=text)


def run(args: argparse.Namespace, _tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.guard.people.labels import label_lines

    sys.stdout.writelines(label_lines(args.root))
    return ExitCode.DONE
