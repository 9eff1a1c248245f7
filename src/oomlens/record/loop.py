"""The recorder's loop: peek, decide, sample, notice kills, store. What it needs of the machine is given to it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import nlargest

from oomlens.model.history import Begin, ContainerLabel, Kill, Peek, Sample
from oomlens.model.history_codec import before_to_content
from oomlens.model.report import CgroupNames, Report
from oomlens.model.sampling import held_bytes, sample_of
from oomlens.model.snapshot import Snapshot
from oomlens.pipeline import light
from oomlens.record import intervals
from oomlens.record.intervals import Pace, Rhythm
from oomlens.record.kills import (
    GRACE_SECONDS,
    Accounts,
    account,
    cgroups_with_kills,
    gone_between,
    killed_by,
    snapshot_before,
)
from oomlens.record.ring import Ring
from oomlens.record.store import Full, Store
from oomlens.record.waiting import Surroundings

# A file is begun anew where the clock was set by more than this.
CLOCK_JUMP_SECONDS = 30.0
# In a storm of kills the machine is stored whole only so often, and then the reports without their tables.
_BEFORE_SECONDS = 10.0
_WHOLE_REPORTS, _STORM_SECONDS = 100, 600.0
# A report's own time is believed where it differs from the clock by no more than this.
_STAMP_SECONDS = 2.0
# So many processes of the last two snapshots are remembered in case of a kill.
_MOST_PROCESSES = 2000

# (what happened, about what): "begun", "kill", "paused", "resumed".
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """How the machine is read.

    read: everything. peek: the few figures, and of these cgroups. labels: names of containers by cgroup path.
    ring: the kernel's ring buffer, None where it may not be read. version: of this program.
    """

    read: Callable[[], Snapshot]
    peek: Callable[[Iterable[str]], Peek]
    labels: Callable[[Iterable[CgroupNames]], Mapping[str, ContainerLabel]]
    ring: Ring | None = None
    version: str | None = None


@dataclass(slots=True)
class _State:
    pace: Pace = field(default_factory=Pace)
    accounts: Accounts = field(default_factory=Accounts)
    snapshots: list[Snapshot] = field(default_factory=list)  # the last two, oldest first
    sample: Sample | None = None
    samples: int = 0
    peeked_at: float | None = None
    clock: float | None = None  # what the wall clock is ahead of the monotonic one
    paused: str | None = None
    stored_before: tuple[float, float | None] | None = None  # monotonic time when, and its own time
    kill_times: list[float] = field(default_factory=list)
    cpu: float = 0.0


class Recorder:
    """One run. Nothing that the machine or the disk does ends it; only `Surroundings.wait` and the arguments of `run` do."""

    def __init__(
        self,
        machine: Machine,
        store: Store,
        surroundings: Surroundings,
        *,
        rhythm: Rhythm,
        tell: Tell,
        sampled: Callable[[Sample, Snapshot, int], None] | None = None,
        missed: Callable[[Snapshot], list[Kill]] | None = None,
    ) -> None:
        """sampled: called after each sample, with the number of bytes that the history takes.

        missed: called once with the first snapshot; gives the kills since an earlier recorder's last sample.
        """
        self._machine = machine
        self._store = store
        self._around = surroundings
        self._rhythm = rhythm
        self._tell = tell
        self._sampled = sampled
        self._missed = missed
        self._state = _State()

    def run(self, *, once: bool = False, seconds: float | None = None) -> int:
        """Records until told to end; gives the number of samples. once: a single one. seconds: at most so long."""
        state, begun = self._state, self._around.monotonic()
        state.cpu = self._around.cpu()
        while True:
            try:
                self._turn()
            except MemoryError:
                self._state.snapshots.clear()  # the machine has none for us; the next turn may find some
            now = self._around.monotonic()
            if once or (seconds is not None and now - begun >= seconds):
                break
            left = self._rhythm.peek_seconds - (now - (state.peeked_at if state.peeked_at is not None else now))
            ring = self._machine.ring
            if ring is not None:
                left = ring.patience(left, now)
            if seconds is not None:
                left = min(left, seconds - (now - begun))
            # Whoever fills the ring buffer line by line does not wake us for every line.
            if self._around.wait(left, ring.descriptor(now) if ring is not None else None):
                break
        self._store.end()
        return state.samples

    def _turn(self) -> None:
        state, now = self._state, self._around.monotonic()
        ring = self._machine.ring
        reports = ring.reports(now) if ring is not None else []
        if reports:
            self._kills(reports)
        if reports or state.peeked_at is None or now - state.peeked_at >= 0.9 * self._rhythm.peek_seconds:
            self._peek(now, killed_by(reports), bool(reports))
        cpu = self._around.cpu()
        state.pace, state.cpu = intervals.spent(state.pace, cpu - state.cpu), cpu

    def _peek(self, now: float, reported: int, killed: bool) -> None:
        state = self._state
        peek = self._machine.peek(state.pace.watched)
        state.peeked_at = now
        state.pace, why = intervals.decide(self._rhythm, state.pace, peek)
        grace = GRACE_SECONDS if self._machine.ring is not None else 0.0
        state.accounts, missing = account(state.accounts, peek.oom_kills, reported, now, grace_seconds=grace)
        if why is not None or killed or missing:
            self._sample(missing)
        try:
            self._store.sync_if_due(now, quick=why not in (None, "rest", "first"))
        except OSError as error:
            self._pause(error)

    def _sample(self, missing: int) -> None:
        state = self._state
        snapshot = self._machine.read()
        names = (usage.names for usage in snapshot.cgroups)
        sample = sample_of(snapshot, labels=self._machine.labels(names), before=state.sample)
        if self._missed is not None:
            missed, self._missed = self._missed(snapshot), None
            for kill in missed:
                self._keep(kill, None)
        if missing:
            self._counted(missing, snapshot)
        if self._stored(lambda: self._store.add_sample(sample), sample.time_seconds, snapshot):
            state.samples += 1
        state.pace = intervals.sampled(state.pace, sample, self._around.monotonic())
        state.sample = sample
        state.snapshots = [*state.snapshots[-1:], _kept(snapshot)]
        if self._sampled is not None:
            self._sampled(sample, snapshot, self._store.size_bytes)

    def _kills(self, reports: list[Report]) -> None:
        if not self._state.snapshots:
            self._sample(0)
        for report in reports:
            names = [one for one in (report.oom_memcg_names, report.task_memcg_names) if one is not None]
            kill = Kill(
                time_seconds=_moment(report.time, self._around.now()),
                seen_by="kmsg",
                uptime_seconds=report.uptime_seconds,
                boot_id=self._boot_id(),
                report=report if self._is_calm() else light(report),
                count=killed_by([report]),
                labels=tuple(self._machine.labels(names).items()),
            )
            self._keep(kill, snapshot_before(report, self._state.snapshots))

    def _counted(self, count: int, after: Snapshot) -> None:
        """Kills of which only the counters tell; `after` is the machine just after them."""
        before = self._state.snapshots[-1] if self._state.snapshots else None
        cgroups = cgroups_with_kills(before, after)
        concerned = {row.path for row in cgroups}
        names = [usage.names for usage in after.cgroups if usage.path in concerned]
        kill = Kill(
            time_seconds=self._around.now(),
            seen_by="counters",
            uptime_seconds=after.host.uptime_seconds,
            boot_id=after.host.boot_id,
            count=count,
            cgroups=cgroups,
            gone=gone_between(before, after, cgroups),
            labels=tuple(self._machine.labels(names).items()),
        )
        self._keep(kill, before)

    def _keep(self, kill: Kill, before: Snapshot | None) -> None:
        state, now = self._state, self._around.monotonic()
        content = None
        if before is not None and (state.stored_before is None or now - state.stored_before[0] >= _BEFORE_SECONDS):
            content = before_to_content(before)
        known = before.time_seconds if content is not None and before is not None else None
        if before is not None and content is None and state.stored_before is not None:
            known = state.stored_before[1]
        told = replace(kill, before_seconds=known)
        state.kill_times.append(now)
        if self._stored(lambda: self._store.add_kill(told, content), kill.time_seconds, before):
            if content is not None:
                state.stored_before = now, known
            victim = kill.report.victims[0] if kill.report is not None and kill.report.victims else None
            self._tell("kill", f"{victim.comm}[{victim.pid}]" if victim is not None else str(kill.count))

    def _is_calm(self) -> bool:
        times, now = self._state.kill_times, self._around.monotonic()
        times[:] = [time for time in times if now - time < _STORM_SECONDS]
        return len(times) < _WHOLE_REPORTS

    def _boot_id(self) -> str | None:
        return self._state.snapshots[-1].host.boot_id if self._state.snapshots else None

    def _stored(self, write: Callable[[], int], time: float, snapshot: Snapshot | None) -> bool:
        """Writes, into a new file where one is due; a disk that refuses is told of once and tried again."""
        state = self._state
        ahead = self._around.now() - self._around.monotonic()
        jumped = state.clock is not None and abs(ahead - state.clock) > CLOCK_JUMP_SECONDS
        try:
            if not self._store.is_open or jumped or self._store.needs_new_file():
                self._store.begin(_head(time, snapshot, self._machine.version))
                state.clock, state.stored_before = ahead, None
            write()
        except (OSError, Full) as error:
            self._pause(error)
            return False
        if state.paused is not None:
            state.paused = None
            self._tell("resumed", str(self._store.folder))
        return True

    def _pause(self, error: OSError | Full) -> None:
        why = "disk-nearly-full" if isinstance(error, Full) or error.errno == errno.ENOSPC else error.strerror or "?"
        if not isinstance(error, Full):
            self._store.end()  # what follows goes into a file of its own
        if self._state.paused != why:
            self._state.paused = why
            self._tell("paused", why)


def _kept(snapshot: Snapshot) -> Snapshot:
    """What is remembered of a snapshot in case of a kill: on a huge machine its largest processes."""
    if len(snapshot.processes) <= _MOST_PROCESSES:
        return snapshot
    largest = nlargest(_MOST_PROCESSES, snapshot.processes, key=held_bytes)
    return replace(snapshot, processes=tuple(sorted(largest, key=lambda each: each.pid)))


def _head(time: float, snapshot: Snapshot | None, version: str | None) -> Begin:
    host = snapshot.host if snapshot is not None else None
    if host is None:
        return Begin(time, version=version)
    return Begin(time, host.boot_id, host.name, host.kernel_release, host.page_size, version)


def _moment(time: str | None, now: float) -> float:
    """The report's own time, where it fits the clock that samples are taken by: the kernel's stops while a machine sleeps."""
    try:
        told = datetime.fromisoformat(time).timestamp() if time is not None else now
    except ValueError:
        return now
    return told if abs(now - told) <= _STAMP_SECONDS else now
