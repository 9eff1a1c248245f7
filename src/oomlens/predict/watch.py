"""Snapshots one after another -> what changed: growth of processes and cgroups, the way to the next kill, stalls."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from oomlens.model.prediction import ScopePrediction
from oomlens.model.snapshot import HostMemory, Pressure, Process, Snapshot, Stall
from oomlens.predict.distance import held_bytes
from oomlens.predict.series import Series
from oomlens.predict.trend import FEWEST_POINTS, Eta, Point, trend_of, used_up

# Growth is the average over this time; the way to the next kill is followed over a longer one.
RATE_SECONDS = 30.0
TREND_SECONDS = 120.0
HOST_SERIES = ("ram_used_bytes", "swap_used_bytes", "some_percent", "full_percent")
_HOST_POINTS = 480
_SCOPE_POINTS = 120
_Key = TypeVar("_Key", bound=Hashable)


class HostRates(NamedTuple):
    """Between two snapshots: share of time that tasks stood still for memory, and bytes per second to and from swap."""

    some_percent: float | None = None
    full_percent: float | None = None
    swap_in_bytes: float | None = None
    swap_out_bytes: float | None = None


class CountedKills(NamedTuple):
    """Kills that counters tell of. path: the cgroup that counted them; None where only the machine did."""

    path: str | None
    kills: int


Identity = tuple[int, float]  # pid and start, for pids are used again


def identity(process: Process) -> Identity:
    """What tells a process from a later one with the same pid; to a hundredth of a second, as the kernel tells it."""
    return process.pid, round(process.started_uptime_seconds, 2)


class Past(NamedTuple):
    """What is known from before the watch began: values by time (of the same clock), oldest first.

    host: by the names of `HOST_SERIES`; processes: what `footprint_bytes` says; cgroups: what cannot be reclaimed.
    """

    host: Mapping[str, Sequence[Point]] = MappingProxyType({})
    processes: Mapping[Identity, Sequence[Point]] = MappingProxyType({})
    cgroups: Mapping[str, Sequence[Point]] = MappingProxyType({})


def footprint_bytes(process: Process) -> int | None:
    """What grows: resident and swapped."""
    return None if process.rss_bytes is None or process.swap_bytes is None else process.rss_bytes + process.swap_bytes


class Watch:
    """Bounded series of the host, of every process, cgroup and scope that is there now."""

    def __init__(self) -> None:
        self.host = {name: Series(_HOST_POINTS) for name in HOST_SERIES}
        self.processes: dict[Identity, Series] = {}
        self.cgroups: dict[str, Series] = {}
        self.scopes: dict[str | None, Series] = {}
        self.rates = HostRates()
        self.kills: tuple[CountedKills, ...] = ()
        self._before: tuple[float, Snapshot] | None = None

    def add(self, at: float, snapshot: Snapshot, predictions: Sequence[ScopePrediction]) -> None:
        """The next snapshot. at: seconds on a clock that does not run backwards."""
        before = self._before
        self.kills = ()
        if before is not None and at > before[0]:
            self.rates = _rates(before[1].host, snapshot.host, at - before[0])
            self.kills = tuple(counted_kills(before[1], snapshot))
        self._before = at, snapshot
        meminfo = snapshot.host.meminfo
        stall = self.rates if self.rates.some_percent is not None else _averages(snapshot.host)
        self.host["ram_used_bytes"].add(at, _minus(meminfo.get("mem_total_bytes"), meminfo.get("mem_available_bytes")))
        self.host["swap_used_bytes"].add(at, _minus(meminfo.get("swap_total_bytes"), meminfo.get("swap_free_bytes")))
        self.host["some_percent"].add(at, stall.some_percent)
        self.host["full_percent"].add(at, stall.full_percent)
        own = [process for process in snapshot.processes if not process.kernel_thread]
        _extend(self.processes, at, ((identity(process), footprint_bytes(process)) for process in own))
        _extend(self.cgroups, at, ((usage.path, held_bytes(usage)) for usage in snapshot.cgroups))
        _extend(self.scopes, at, ((each.path, each.distance_bytes) for each in predictions), _SCOPE_POINTS)

    @property
    def last_at(self) -> float | None:
        """When the last snapshot was taken; None before the first."""
        return None if self._before is None else self._before[0]

    def remember(self, past: Past) -> None:
        """Puts the past before what was seen. What is not there any more is forgotten with the next snapshot."""
        for name, points in past.host.items():
            self.host[name].put_before(points)
        for identity_of, points in past.processes.items():
            self.processes.setdefault(identity_of, Series()).put_before(points)
        for path, points in past.cgroups.items():
            self.cgroups.setdefault(path, Series()).put_before(points)

    def growth_of(self, process: Process) -> float | None:
        """Bytes per second; None until it was seen twice, or where its size is unknown."""
        series = self.processes.get(identity(process))
        return None if series is None else series.per_second(RATE_SECONDS)

    def eta_of(self, prediction: ScopePrediction) -> Eta | None:
        """When the scope's kill comes if it goes on like this; None where there is no trend."""
        series, left = self.scopes.get(prediction.path), prediction.distance_bytes
        if series is None or left is None:
            return None
        points = series.latest(TREND_SECONDS, FEWEST_POINTS)
        lately = series.per_second(RATE_SECONDS)
        if lately is None or lately >= 0 or points[-1][1] >= points[0][1]:
            return None  # not falling, or no longer
        return used_up(trend_of([(at, -distance) for at, distance in points]), left)


def _extend(known: dict[_Key, Series], at: float, values: Iterable[tuple[_Key, float | None]], most: int = 64) -> None:
    """Adds to each series; those of what is gone are dropped."""
    seen: set[_Key] = set()
    for key, value in values:
        seen.add(key)
        series = known.get(key)
        if series is None:
            series = known[key] = Series(most)
        series.add(at, value)
    for gone in known.keys() - seen:
        del known[gone]


def _minus(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part


def _averages(host: HostMemory) -> HostRates:
    """The first snapshot has no predecessor; the kernel's own average over 10 seconds stands in."""
    pressure = host.pressure.get("memory")
    some, full = (pressure.some, pressure.full) if pressure is not None else (None, None)
    return HostRates(some.avg10_percent if some else None, full.avg10_percent if full else None)


def _rates(before: HostMemory, now: HostMemory, seconds: float) -> HostRates:
    def stalled(first: Stall | None, last: Stall | None) -> float | None:
        if first is None or last is None or last.total_seconds < first.total_seconds:
            return None
        return min(100.0, 100 * (last.total_seconds - first.total_seconds) / seconds)

    def swapped(name: str) -> float | None:
        pages = _minus(now.vmstat.get(name), before.vmstat.get(name))
        return None if pages is None or pages < 0 else pages * now.page_size / seconds

    earlier, later = before.pressure.get("memory", Pressure()), now.pressure.get("memory", Pressure())
    return HostRates(
        stalled(earlier.some, later.some), stalled(earlier.full, later.full), swapped("pswpin"), swapped("pswpout")
    )


def counted_kills(before: Snapshot, now: Snapshot) -> Iterable[CountedKills]:
    """What the counters rose by: of the cgroups that the killed were in, and what only the machine's counter has.

    memory.events counts the kills of descendants too (cgroup-v2.rst), memory.oom_control only its own.
    """
    earlier = {usage.path: usage.events.get("oom_kill") for usage in before.cgroups}
    rose: dict[str, int] = {}
    for usage in now.cgroups:
        first, last = earlier.get(usage.path), usage.events.get("oom_kill")
        if first is not None and last is not None and last > first:
            rose[usage.path] = last - first
    versions = {usage.path: usage.version for usage in now.cgroups}
    own = dict(rose)
    for path, count in rose.items():
        above = path.rpartition("/")[0] or "/"
        if versions[path] == 2 and path != "/" and above in own:
            own[above] -= count
    told = sum(count for count in own.values() if count > 0)
    first, last = before.host.oom_kills, now.host.oom_kills
    if first is not None and last is not None and last - first > told:
        yield CountedKills(None, last - first - told)
    for path, count in own.items():
        if count > 0:
            yield CountedKills(path, count)
