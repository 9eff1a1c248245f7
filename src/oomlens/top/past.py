"""What the flight recorder knows from before the start, read in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from oomlens.host.read.history import found_folder, read_history
from oomlens.host.read.source import UnreadableError
from oomlens.model.report import Report
from oomlens.predict.watch import Past
from oomlens.predict.watch_past import past_of

SPAN_SECONDS = 24 * 3600.0
# As many as the widest graph has use for, several times over.
_MOST_SAMPLES = 400

Remember = Callable[[Past, tuple[Report, ...]], None]


class PastReader:
    """Reads the recorder's last day once; where there is no history, nothing happens."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._thread: threading.Thread | None = None

    def start(self, now: float, boot_id: str | None, remember: Remember) -> None:
        """now: seconds of the epoch. remember: called from the thread with curves, and reports of kills, oldest first."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(now, boot_id, remember), name="oomlens-past", daemon=True
            )  # fmt: skip
            self._thread.start()

    def stop(self) -> None:
        """Waits for the thread; what it reads is bounded."""
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _run(self, now: float, boot_id: str | None, remember: Remember) -> None:
        folder = found_folder(self._root)
        if folder is None:
            return
        try:
            history = read_history(folder, now - SPAN_SECONDS, now, most_samples=_MOST_SAMPLES)
        except UnreadableError:
            return
        reports = tuple(kill.report for kill in history.kills if kill.report is not None)
        remember(past_of(history.samples, boot_id), reports)
