"""What a remedy of the diagnosis is: a row of the files beside this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oomlens.diagnose.advice.context import Context


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way to fix, as commands.

    title, text: English source texts for the catalogue. safety: "safe", "disruptive" (restarts something) or "manual".
    commands: shell lines with the incident's values; lines that begin with "#" say what the next one does.
    """

    id: str
    title: str
    text: str
    safety: str
    commands: Callable[[Context], tuple[str, ...]]


def note(text: str) -> str:
    """A comment line among commands; the text is translated where it is shown."""
    return f"# {text}"
