"""`oomlens guard start`: the guard itself: reads the configuration and becomes the loop."""

from __future__ import annotations

import argparse

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    say(f"error: {tr('not built yet')}: {args.action}")
    return ExitCode.FAILED
