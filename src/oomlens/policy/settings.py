"""What a scope is watched by: the checked table's part, with the levels as numbers."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Level = Sequence[Any]
    """[fraction of the total, at most so many kB or None, at least so many kB or None]"""


class Scope:
    """The machine (`cgroup` is empty) or a cgroup, and what is asked of it. Built from the table that the configuration gives."""

    __slots__ = (
        "_highest", "cgroup", "cool_seconds", "grace_seconds", "harm_cgroups", "harm_low", "harm_seconds", "harm_stall", "kill", "name",
        "object", "ranking", "react_seconds", "roads", "steps", "stuck_seconds", "swap_kill", "swap_term", "term", "thrash_low",
        "thrash_refaults", "thrash_seconds", "thrash_stall", "warn", "warn_seconds",
    )  # fmt: skip

    def __init__(self, row: Mapping[str, Any]) -> None:
        """Raises KeyError where the table is not whole."""
        self.name: str = row["name"]
        self.cgroup: str = row["cgroup"]
        self.ranking: str = row["ranking"]
        self.object: str = row["object"]
        self.roads: Sequence[str] = tuple(row["roads"])
        self.warn: Level = row["warn"]
        self.term: Level = row["term"]
        self.kill: Level = row["kill"]
        self.swap_term: float = row["swap_term"]
        self.swap_kill: float = row["swap_kill"]
        self.warn_seconds: float = row["warn_seconds"]
        self.react_seconds: float = row["react_seconds"]
        self.thrash_low: Level = row["thrash_low"]
        self.thrash_refaults: float = row["thrash_refaults"]
        self.thrash_stall: float = row["thrash_stall"]
        self.thrash_seconds: float = row["thrash_seconds"]
        self.harm_low: Level = row["harm_low"]
        self.harm_cgroups: Sequence[str] = tuple(row["harm_cgroups"])
        self.harm_stall: float = row["harm_stall"]
        self.harm_seconds: float = row["harm_seconds"]
        self.grace_seconds: float = row["grace_seconds"]
        self.cool_seconds: float = row["cool_seconds"]
        self.stuck_seconds: float = row["stuck_seconds"]
        self.steps: Sequence[Mapping[str, Any]] = tuple(row["steps"])
        self._highest = (-1, 0)

    def highest_level_kb(self, total_kb: int) -> int:
        """Above this no road and no warning looks at what is available. Worked out once a total, for every look asks."""
        if self._highest[0] != total_kb:
            levels = (self.warn, self.term, self.thrash_low, self.harm_low)
            self._highest = (total_kb, max(level_kb(level, total_kb) for level in levels))
        return self._highest[1]


def level_kb(level: Level, total_kb: int) -> int:
    """The limit in kB that a level means for a total."""
    fraction, most_kb, least_kb = level
    limit = int(fraction * total_kb)
    if most_kb is not None and limit > most_kb:
        limit = most_kb
    if least_kb is not None and limit < least_kb:
        limit = least_kb
    return limit
