"""A snapshot and what was seen before it -> the rows that a person watches: scopes, processes, cgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oomlens.model.prediction import Fate, ScopePrediction, Suspect
from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot
from oomlens.predict.distance import held_bytes
from oomlens.predict.scopes import ancestors
from oomlens.predict.trend import Eta
from oomlens.predict.watch import RATE_SECONDS, CountedKills, HostRates, Watch


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """The machine or a cgroup with a limit; victim: None where nobody would be killed by size."""

    prediction: ScopePrediction
    victim: Suspect | None
    eta: Eta | None

    @property
    def left_share(self) -> float | None:
        """What is left, as a share of the limit and the swap that goes with it."""
        left, total = self.prediction.distance_bytes, self.prediction.total_bytes
        return None if left is None or not total else left / total


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process as the kernel's choice sees it.

    names: of its cgroup. suspect: its place in the machine's ranking; None where it is spared, `spared` says why.
    place: 1 for the next victim of the machine. growth: bytes per second of RSS and swap.
    next_in: the scopes whose next victim it is, the machine as None.
    left_bytes: until the next kill in the nearest scope that it is in; left_in: that scope's cgroup, None for the machine.
    """

    process: Process
    names: CgroupNames | None
    suspect: Suspect | None
    place: int | None
    spared: str | None
    growth: float | None
    next_in: tuple[str | None, ...]
    left_bytes: int | None
    left_in: str | None


@dataclass(frozen=True, slots=True)
class CgroupRow:
    """A cgroup in the tree. depth: 0 for the topmost that can be seen. limit_bytes: its own or the tightest above it."""

    usage: CgroupUsage
    depth: int
    parent: str | None
    children: int
    held_bytes: int | None
    limit_bytes: int | None
    inherited: bool
    growth: float | None
    left_bytes: int | None
    victim: Suspect | None

    @property
    def share(self) -> float | None:
        """Usage as a share of the limit."""
        used, limit = self.usage.current_bytes, self.limit_bytes
        return None if used is None or not limit else used / limit


@dataclass(frozen=True, slots=True)
class View:
    """What a person watches, at one instant. at: seconds of the reader's clock; scopes: the machine, then the most urgent."""

    at: float
    snapshot: Snapshot
    scopes: tuple[ScopeRow, ...]
    processes: tuple[ProcessRow, ...]
    cgroups: tuple[CgroupRow, ...]
    rates: HostRates
    kills: tuple[CountedKills, ...]


def view_of(at: float, snapshot: Snapshot, predictions: Sequence[ScopePrediction], watch: Watch) -> View:
    """The rows of a snapshot that the watch has been given."""
    return View(
        at=at,
        snapshot=snapshot,
        scopes=tuple(_scopes(predictions, watch)),
        processes=tuple(_processes(snapshot, predictions, watch)),
        cgroups=tuple(_cgroups(snapshot, predictions, watch)),
        rates=watch.rates,
        kills=watch.kills,
    )


def _victim(prediction: ScopePrediction) -> Suspect | None:
    return prediction.candidates[0] if prediction.candidates and prediction.fate is Fate.KILL else None


def _scopes(predictions: Sequence[ScopePrediction], watch: Watch) -> list[ScopeRow]:
    """The machine first, then those that will be full at a known time, then those with the smallest part left.

    A cgroup without a process is no concern of anybody.
    """
    rows = [
        ScopeRow(each, _victim(each), watch.eta_of(each))
        for each in predictions
        if each.path is None or each.candidates or each.spared
    ]

    def urgency(row: ScopeRow) -> tuple[bool, bool, float]:
        share = row.left_share
        by = row.eta.seconds if row.eta is not None else 2.0 if share is None else share
        return row.prediction.path is not None, row.eta is None, by

    return sorted(rows, key=urgency)


def _processes(snapshot: Snapshot, predictions: Sequence[ScopePrediction], watch: Watch) -> list[ProcessRow]:
    names = {usage.path: usage.names for usage in snapshot.cgroups}
    machine = predictions[0] if predictions else None
    ranked = {each.pid: (place, each) for place, each in enumerate(machine.candidates if machine else (), start=1)}
    spared = {each.pid: each.why for each in (machine.spared if machine else ())}
    next_in: dict[int, list[str | None]] = {}
    for prediction in predictions:
        victim = _victim(prediction)
        if victim is not None:
            next_in.setdefault(victim.pid, []).append(prediction.path)
    left = {each.path: each.distance_bytes for each in predictions if each.distance_bytes is not None}
    rows: list[ProcessRow] = []
    for process in snapshot.processes:
        if process.kernel_thread:
            continue
        place, suspect = ranked.get(process.pid, (None, None))
        nearest = _nearest(process.cgroup, left)
        rows.append(
            ProcessRow(
                process=process,
                names=names.get(process.cgroup or ""),
                suspect=suspect,
                place=place,
                spared=spared.get(process.pid),
                growth=watch.growth_of(process),
                next_in=tuple(next_in.get(process.pid, ())),
                left_bytes=None if nearest is None else nearest[0],
                left_in=None if nearest is None else nearest[1],
            )
        )
    return rows


def _nearest(path: str | None, left: Mapping[str | None, int]) -> tuple[int, str | None] | None:
    """The smallest distance among the scopes that a process of this cgroup is in."""
    scopes = [None, *ancestors(path)]
    known = [(left[scope], scope) for scope in scopes if scope in left]
    return min(known, key=lambda each: each[0]) if known else None


def _cgroups(snapshot: Snapshot, predictions: Sequence[ScopePrediction], watch: Watch) -> list[CgroupRow]:
    by_path = {each.path: each for each in predictions}
    depths: dict[str, int] = {}
    children: dict[str, int] = {}
    parents: dict[str, str | None] = {}
    for usage in snapshot.cgroups:
        parent = next((path for path in list(ancestors(usage.path))[1:] if path in depths), None)
        parents[usage.path] = parent
        depths[usage.path] = 0 if parent is None else depths[parent] + 1
        if parent is not None:
            children[parent] = children.get(parent, 0) + 1
    rows: list[CgroupRow] = []
    for usage in snapshot.cgroups:
        prediction = by_path.get(usage.path)
        series = watch.cgroups.get(usage.path)
        rows.append(
            CgroupRow(
                usage=usage,
                depth=depths[usage.path],
                parent=parents[usage.path],
                children=children.get(usage.path, 0),
                held_bytes=held_bytes(usage),
                limit_bytes=usage.effective_max_bytes,
                inherited=usage.max_bytes is None,
                growth=None if series is None else series.per_second(RATE_SECONDS),
                left_bytes=None if prediction is None else prediction.distance_bytes,
                victim=None if prediction is None else _victim(prediction),
            )
        )
    return rows
