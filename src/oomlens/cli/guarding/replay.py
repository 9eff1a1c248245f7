"""`oomlens guard replay`: decide a recorded run again."""

from __future__ import annotations

import argparse

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("decide a recorded run again")
    actions.add_parser(name, help=text, description=text)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    say(f"error: {tr('not built yet')}: {args.action}")
    return ExitCode.FAILED
