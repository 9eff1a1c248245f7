"""`oomlens guard metrics`: figures for Prometheus from what the guard last wrote of itself."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from oomlens.cli.amounts import duration_seconds
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

STATE_FILE = "/run/oomlens/guard/state.json"
# The guard writes it every 10 s; three of them missing is no accident.
_STALE_SECONDS = 35.0
_MOST_BYTES = 4 << 20


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("figures for Prometheus (textfile collector)")
    parser = actions.add_parser(name, help=text, description=text)
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE",
        help=tr("a name that ends in .prom, in the collector's folder; - for stdout"),
    )  # fmt: skip
    parser.add_argument("--every", type=duration_seconds, metavar="TIME", help=tr("again and again, until Ctrl-C"))


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.record.textfile import write_text

    while True:
        page = _page(args.root)
        try:
            if args.file == "-":
                sys.stdout.write(page)
                sys.stdout.flush()
            else:
                write_text(Path(args.file), page)
        except BrokenPipeError:
            raise
        except OSError as error:
            say(f"error: {args.file}: {error.strerror}; {tr('run it with sudo, or give another FILE')}")
            return ExitCode.FAILED
        if args.every is None:
            return ExitCode.DONE
        time.sleep(max(1.0, args.every))


def _page(root: Path) -> str:
    import json

    from oomlens.host.read.tree import below
    from oomlens.render.guard_metrics import exposition

    state: Any = None
    up = False
    try:
        with below(root, STATE_FILE).open("rb") as file:
            state = json.loads(file.read(_MOST_BYTES))
            up = isinstance(state, dict) and abs(time.time() - _written(file.fileno())) < _STALE_SECONDS
    except (OSError, ValueError, RecursionError):
        state = None
    return exposition(state if isinstance(state, dict) else None, up=up)


def _written(descriptor: int) -> float:
    import os

    return os.fstat(descriptor).st_mtime
