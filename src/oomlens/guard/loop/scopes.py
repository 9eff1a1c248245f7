"""One watched scope with all that is kept for it: reader, state, what is under way."""

from __future__ import annotations

import time

from oomlens.guard.loop.cgroups import Group
from oomlens.guard.loop.files import Kept, stall_us
from oomlens.policy.settings import Scope
from oomlens.policy.state import WATCH, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from oomlens.guard.loop.act import Target
    from oomlens.guard.loop.cgroups import Hierarchy
    from oomlens.guard.loop.machine import Machine
    from oomlens.policy.candidate import Candidate
    from oomlens.policy.sample import Sample

MOST_SCOPES = 64
_MOST_HARM = 32
_HARM_SECONDS = 30.0
_CLOSE_SECONDS = 30.0


class Watched:
    """A scope under watch."""

    def __init__(self, scope: Scope, reader: Machine | Group) -> None:
        self.scope = scope
        self.reader = reader
        self.state = State()
        self.target: Target | None = None
        self.victim: Candidate | None = None
        self.acted_seconds = 0.0
        self.next_seconds = 0.0
        self.grown_seconds = float("-inf")
        self.oom_kills: int | None = None
        self.trigger = -1
        # Nothing to read: no limit, or the cgroup is not there (yet).
        self.lost = False
        self.grown_seconds = 0.0
        self._close_seconds = float("-inf")
        self.rest_count = len(reader.pids())
        self._harm: dict[str, Kept] = {}
        self._harm_seconds = float("-inf")

    def close_to_it(self) -> bool:
        """Whether thrash and harm have to be looked for: by the last sample, with a quarter more than the highest level."""
        sample = self.state.sample
        if sample is None or self.state.phase != WATCH:
            return True
        return sample.available_kb <= 1.25 * self.scope.highest_level_kb(sample.total_kb)

    def look(self, hierarchy: Hierarchy) -> Sample | None:
        """One sample, as close as it has to be."""
        now = time.monotonic()
        # Now and then also where nothing is close: what the kernel killed between two looks is told.
        close = self.close_to_it() or now - self._close_seconds >= _CLOSE_SECONDS
        if close:
            self._close_seconds = now
        harm = self._harmed(hierarchy) if close and "harm" in self.scope.roads else None
        return self.reader.sample(close=close, harm=harm)

    def _harmed(self, hierarchy: Hierarchy) -> dict[str, int] | None:
        now = time.monotonic()
        if now - self._harm_seconds >= _HARM_SECONDS:
            self._harm_seconds = now
            found = hierarchy.find(list(self.scope.harm_cgroups), _MOST_HARM)
            for gone in [cgroup for cgroup in self._harm if cgroup not in found]:
                self._harm.pop(gone).close()
            for cgroup in found:
                if cgroup not in self._harm:
                    side = hierarchy.mount if hierarchy.v2 else hierarchy.pressure_mount
                    self._harm[cgroup] = Kept(f"{side}{cgroup}/memory.pressure", 256)
        stalls = {}
        for cgroup, kept in self._harm.items():
            stalled = stall_us(kept.read())
            if stalled is not None:
                stalls[cgroup] = stalled
        return stalls or None

    def close(self) -> None:
        """Gives the descriptors back."""
        for kept in self._harm.values():
            kept.close()
        if isinstance(self.reader, Group):
            self.reader.close()
        if self.target is not None:
            self.target.close()


def scopes_of(table: Mapping[str, Any], hierarchy: Hierarchy) -> list[tuple[str, Scope]]:
    """(cgroup, scope) of every scope of the table, globs as they match now. The machine's cgroup is empty."""
    found: list[tuple[str, Scope]] = []
    for row in table["scopes"]:
        if not row["cgroup"]:
            # In a container the machine's memory is not ours to guard: the container's own limit takes its place.
            contained = hierarchy.contained()
            found.append(("/" if contained else "", Scope({**row, "name": "container"} if contained else row)))
            continue
        several = any(sign in row["cgroup"] for sign in "*?[")
        for cgroup in hierarchy.find([row["cgroup"]], MOST_SCOPES):
            own = {**row, "name": f"{row['name']}:{cgroup}"} if several else row
            found += [(cgroup, Scope(own))]
    return found[:MOST_SCOPES]
