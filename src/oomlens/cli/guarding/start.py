"""`oomlens guard`: the guard itself: reads the configuration and becomes the loop."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Becomes the loop; returns only where it cannot."""
    from oomlens.cli.guarding.reading import table_or_say
    from oomlens.guard.config.launch import LaunchError, become_loop
    from oomlens.render.sanitize import visible

    table = table_or_say(args, tr)
    if table is None:
        return ExitCode.FAILED
    if os.geteuid() != 0:
        limits = tr(
            "not root: it can end your own processes only and may react later; for the whole: sudo oomlens guard"
        )
        say(limits)
    if not any(name in os.environ for name in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "INVOCATION_ID")):
        table["log_stdout"] = True  # started by hand: its events are what the person waits for
        hint = tr(
            "watching; events come as JSON lines, for reading: oomlens guard | oomlens guard log -; Ctrl-C ends it"
        )
        say(hint)
    # Compiled here and kept where the folder allows it: a loop that compiles itself holds 1 MB more for ever.
    import_module("oomlens.guard.loop.run")
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        become_loop(table)
    except LaunchError as error:
        texts = {
            "locked": tr("another guard is running (process {detail}); end it first: oomlens guard uninstall, or kill {detail}"),
            "no-folder": tr("{place}: {detail}; run it with sudo, or set XDG_RUNTIME_DIR to a folder of yours"),
            "foreign-folder": tr("{place} belongs to somebody else, or others may write there; remove it, or correct its owner and mode"),
            "no-lock": tr("{place}: {detail}; remove it if it is not a file of the guard"),
            "no-loop": tr("{place} cannot be started: {detail}; install oomlens again"),
        }  # fmt: skip
        told = texts[error.reference].format(place=visible(error.place), detail=visible(error.detail) or "?")
        say(f"error: {told}")
    except OSError as error:
        say(f"error: {visible(str(error.filename or '?'))}: {error.strerror}")
    return ExitCode.FAILED
