"""What a killer in user space is: the shape of every file in `oomlens.decode.killers`.

These programs decide before the kernel has to, or tell that a kill happened; their lines never become a kernel kill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one or several records of such a program say; fields as in `oomlens.model.report.Report`."""

    kind: Kind
    killer: str
    outcome: Outcome
    message: str
    scope: Scope = Scope.UNKNOWN
    victims: tuple[Victim, ...] = ()
    oom_memcg: str | None = None
    task_memcg: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Killer:
    """One program.

    needles: literals, lower-cased; one of them must be in the lower-cased text before `read` is tried.
    read: looks at records[index] and, where the program prints several lines, those after it; returns the sighting and
          how many records it used up, or None. Never raises. Never answers for a line of the kernel's own OOM killer,
          for configuration, statistics, dry runs, or a threshold that was merely reached.
    samples: (records' texts, ident or None, expected sighting or None), checked by a test; near misses are samples too.
    source: where the wording was read (project, file).
    """

    name: str
    needles: tuple[str, ...]
    read: Callable[[Sequence[Record], int], tuple[Sighting, int] | None]
    samples: tuple[tuple[tuple[str, ...], str | None, Sighting | None], ...]
    source: str
