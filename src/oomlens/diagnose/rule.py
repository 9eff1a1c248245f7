"""What a rule is: the shape of every file in `oomlens.diagnose.rules`.

A rule is one file here, one page in `manual/en` and one in `manual/ja`, and its cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oomlens.diagnose.figures import Figures
from oomlens.model.finding import Incident, Outcome


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause.

    id: kebab-case, names the pattern, never the cure. code: stable, never reused (`OOM102`).
    rank: among found causes of equal weight the lower one is said first; a senior engineer's order.
    check: a pure function; answers Undecided with what is missing rather than guess. Never raises.
    title, explanation: English source texts for the catalogue, with `{name}` for the outcome's parameters.
        A parameter ending in `_bytes` is shown as a size, one ending in `_share` as a percentage.
        An outcome may bring its own explanation, where one rule has several forms.
    related: ids of rules whose pages are linked.
    since: the release that introduced it.
    """

    id: str
    code: str
    rank: int
    check: Callable[[Incident, Figures], Outcome]
    title: str
    explanation: str
    related: tuple[str, ...] = ()
    since: str = "0.1"
