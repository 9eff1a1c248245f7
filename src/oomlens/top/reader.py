"""Reads the machine again and again in a thread of its own, so that the screen never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from oomlens.host.read.processes import with_command_line, with_pss
from oomlens.host.read.snapshot import read_snapshot
from oomlens.model.prediction import ScopePrediction
from oomlens.model.snapshot import Process, Snapshot
from oomlens.predict import predict
from oomlens.predict.watch import Identity, identity

LEAST_SECONDS, MOST_SECONDS = 0.2, 3600.0
# Reading a proportional set size walks page tables: so much time in one round, and never more than this share of a core.
_PSS_BUDGET_SECONDS = 0.03
_PSS_SHARE = 0.01


class Reading(NamedTuple):
    """at: seconds of the epoch, on a clock that does not jump."""

    at: float
    snapshot: Snapshot
    predictions: tuple[ScopePrediction, ...]


Deliver = Callable[[Reading], None]


@dataclass(slots=True)
class _Known:
    """What is remembered of a process, for it is slow to read or does not change."""

    comm: str
    cmdline: tuple[str, ...] | None
    pss_bytes: int | None = None
    pss_again: float = 0.0


class Reader:
    """interval: seconds between readings. wanted: pids whose PSS is shown."""

    def __init__(
        self, root: Path = Path("/"), interval: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._clock = clock
        self._offset = time.time() - clock()
        self._known: dict[Identity, _Known] = {}
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.interval = interval
        self.wanted: frozenset[int] = frozenset()

    def readable(self) -> bool:
        """Whether there is a /proc at all."""
        return (self._root / "proc/meminfo").exists() or (self._root / "proc/1").exists()

    def read(self) -> Reading:
        """Reads the machine once, now."""
        at = self._clock() + self._offset
        root = self._root
        snapshot = read_snapshot(proc=root / "proc", sys=root / "sys", cgroup=root / "sys/fs/cgroup", now_seconds=at)
        snapshot = replace(snapshot, processes=self._detailed(snapshot.processes))
        return Reading(at, snapshot, predict(snapshot))

    def _detailed(self, processes: tuple[Process, ...]) -> tuple[Process, ...]:
        """With command lines, and with as many PSS as there is time for, the longest unread first."""
        proc, now = self._root / "proc", self._clock()
        known: dict[Identity, _Known] = {}
        for process in processes:
            if process.kernel_thread:
                continue
            key = identity(process)
            held = self._known.get(key)
            if held is None or held.comm != process.comm:  # exec changes both
                held = _Known(process.comm, with_command_line(process, proc).cmdline)
            known[key] = held
        self._known = known
        wanted = self.wanted
        due = [process for process in processes if process.pid in wanted and not process.kernel_thread]
        due = [process for process in due if known[identity(process)].pss_again <= now]
        due.sort(key=lambda process: known[identity(process)].pss_again)
        for process in due:
            begun = self._clock()
            if begun - now > _PSS_BUDGET_SECONDS:
                break
            held = known[identity(process)]
            held.pss_bytes = with_pss(process, proc).pss_bytes
            ended = self._clock()
            held.pss_again = ended + (ended - begun) * len(wanted) / _PSS_SHARE
        return tuple(
            process if process.kernel_thread else _with(process, known[identity(process)]) for process in processes
        )

    def start(self, deliver: Deliver, failed: Callable[[Exception], None]) -> None:
        """Begins to read; each reading is delivered from the thread."""
        self._thread = threading.Thread(target=self._run, args=(deliver, failed), name="oomlens-reader", daemon=True)
        self._thread.start()

    def now(self) -> None:
        """Reads without waiting for the interval's end."""
        self._wake.set()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _run(self, deliver: Deliver, failed: Callable[[Exception], None]) -> None:
        while not self._stopped:
            self._wake.clear()
            begun = self._clock()
            try:
                reading = self.read()
            except Exception as error:  # noqa: BLE001 - a thread that dies silently would leave old numbers on the screen
                failed(error)
            else:
                if not self._stopped:
                    deliver(reading)
            self._wake.wait(max(0.05, self.interval - (self._clock() - begun)))


def _with(process: Process, known: _Known) -> Process:
    return replace(process, cmdline=known.cmdline, pss_bytes=known.pss_bytes)
