"""What is wrong in a configuration: where, what, what to try. Said in the reader's language only when it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from oomlens.guard.config.places import Path, Place, Places
from oomlens.i18n import Translate
from oomlens.render.sanitize import visible

_LONGEST = 60


class WrongError(ValueError):
    """A value is not what its field takes. text and hint are message ids with places for `values`."""

    def __init__(self, text: str, hint: str, **values: object) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.values: Mapping[str, object] = values


class Problem(NamedTuple):
    """place None: the whole file."""

    place: Place | None
    text: str
    hint: str
    values: Mapping[str, object]

    def told(self, file: str, tr: Translate) -> str:
        """`FILE:LINE:COLUMN: what is wrong; what to try`."""
        # `what` is a path that has to be typed again.
        shown = {name: visible(str(value)) if name == "what" else short(value) for name, value in self.values.items()}
        where = visible(file) if self.place is None else f"{visible(file)}:{self.place.line}:{self.place.column}"
        return f"{where}: {tr(self.text).format(**shown)}; {tr(self.hint).format(**shown)}"


def short(value: object) -> str:
    """A foreign value, safe to show and not longer than a line can bear."""
    try:
        text = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a value too deeply nested
        text = "…"
    return visible(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"{file}: {len(problems)} problems")
        self.file = file
        self.problems = tuple(problems)

    def lines(self, tr: Translate) -> list[str]:
        """One line a problem, in the file's order."""
        ordered = sorted(self.problems, key=lambda problem: problem.place or Place(0, 0))
        return [problem.told(self.file, tr) for problem in ordered]


class Report:
    """Collects problems while a document is read."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.problems: list[Problem] = []

    def at_key(self, path: Path, text: str, hint: str, **values: object) -> None:
        """Something about a key."""
        self.problems.append(Problem(self._places.key(path), text, hint, values))

    def at_value(self, path: Path, text: str, hint: str, **values: object) -> None:
        """Something about a value."""
        self.problems.append(Problem(self._places.value(path), text, hint, values))

    def read(self, path: Path, value: object, how: Callable[[object], object]) -> object | None:
        """The value as its field takes it; None where it does not, which is noted."""
        try:
            return how(value)
        except WrongError as wrong:
            index = wrong.values.get("index")
            where = (*path, index) if isinstance(index, int) else path
            self.at_value(where, wrong.text, wrong.hint, **wrong.values)
            return None


def near(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches

    found = get_close_matches(word[:_LONGEST], known, n=1, cutoff=0.6)
    return found[0] if found else None
