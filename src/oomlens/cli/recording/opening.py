"""Opening a history for a verb; what is wrong with it is said."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from oomlens.cli.terminal import say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.history import History


def read_history_or_say(args: argparse.Namespace, tr: Translate) -> History | None:
    """The history that was asked for; None where it cannot be read, which is said."""
    from datetime import datetime

    from oomlens.cli.when import parse_when
    from oomlens.host.read.history import found_folder, read_history
    from oomlens.host.read.source import UnreadableError

    now = datetime.now().astimezone()
    try:
        since, until = (
            parse_when(text, now).timestamp() if text is not None else None for text in (args.since, args.until)
        )
    except ValueError as error:
        say(f"error: {error}")
        return None
    folder = args.folder or found_folder(args.root)
    if folder is None:
        told = tr(
            "there is no history on this machine yet, or it may not be read; start the recorder: sudo oomlens record --install"
        )
        say(f"error: {told}")  # fmt: skip
        return None
    try:
        return read_history(folder, since, until)
    except UnreadableError as error:
        say(f"error: {error.source}: {_unreadable(error, tr)}")
        return None


def _unreadable(error: Exception, tr: Translate) -> str:
    texts = {
        "not-found": tr("there is no history here; start the recorder: sudo oomlens record --install"),
        "not-a-folder": tr("it is a file; a history is a folder"),
        "permission-denied": tr("permission denied; run it with sudo"),
    }
    return texts.get(getattr(error, "reference", ""), str(error))
