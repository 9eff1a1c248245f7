"""`oomlens guard log`: what the guard saw and did, and why."""

from __future__ import annotations

import argparse

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("what the guard saw and did, and why")
    actions.add_parser(name, help=text, description=text)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    say(f"error: {tr('not built yet')}: {args.action}")
    return ExitCode.FAILED
