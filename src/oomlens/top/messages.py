"""What the threads tell the application."""

from __future__ import annotations

from textual.message import Message

from oomlens.model.report import Report
from oomlens.predict.watch import Past
from oomlens.top.kill_watch import Following
from oomlens.top.reader import Reading


class Read(Message):
    """The machine was read once more."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        super().__init__()


class Failed(Message):
    """The machine could not be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__()


class Told(Message):
    """A log told of a kill. before: it is from before the start."""

    def __init__(self, report: Report, before: bool) -> None:
        self.report = report
        self.before = before
        super().__init__()


class Followed(Message):
    """What is followed to learn of kills."""

    def __init__(self, following: Following) -> None:
        self.following = following
        super().__init__()


class Remembered(Message):
    """What the flight recorder knew."""

    def __init__(self, past: Past, reports: tuple[Report, ...]) -> None:
        self.past = past
        self.reports = reports
        super().__init__()
