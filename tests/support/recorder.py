"""A recorder on a simulated machine: time passes when it waits, and reading costs what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from oomlens.host.read.containers import ContainerLabels
from oomlens.model.history import CgroupPeek, ContainerLabel, Peek
from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import HostMemory, Process, Snapshot
from oomlens.record.intervals import Rhythm
from oomlens.record.loop import Machine, Recorder
from oomlens.record.retention import Keep
from oomlens.record.ring import Ring
from oomlens.record.store import Store

GIB = 1 << 30


@dataclass
class Simulated:
    """The machine and its time. `at` is seconds since the beginning; `available`, `kills`, `processes` follow from it.

    wall: what the wall clock shows at `at`. cost: processor seconds of a sample.
    """

    at: float = 0.0
    available: Callable[[float], int] = lambda _at: 8 * GIB
    kills: Callable[[float], int] = lambda _at: 0
    processes: Callable[[float], Iterable[Process]] = lambda _at: ()
    wall: Callable[[float], float] = lambda at: 1_800_000_000.0 + at
    cost: float = 0.02
    peek_cost: float = 0.0001
    until: float = 3600.0
    boot_id: str = "boot-1"
    used: float = 0.0
    samples: int = 0
    told: list[tuple[str, str]] = field(default_factory=list)

    def now(self) -> float:
        return self.wall(self.at)

    def monotonic(self) -> float:
        return 5000.0 + self.at

    def cpu(self) -> float:
        return self.used

    def wait(self, seconds: float, descriptor: int | None) -> bool:
        del descriptor
        assert seconds <= 1.0
        self.at += max(seconds, 0.001)
        return self.at >= self.until

    def read(self) -> Snapshot:
        self.samples += 1
        self.used += self.cost
        memory = {"mem_total_bytes": 16 * GIB, "mem_available_bytes": self.available(self.at), "swap_free_bytes": 0}
        host = HostMemory(
            4096,
            name="sim",
            boot_id=self.boot_id,
            uptime_seconds=self.monotonic(),
            meminfo=memory,
            oom_kills=self.kills(self.at),
        )
        return Snapshot(host, (), tuple(self.processes(self.at)), self.now())

    def peek(self, cgroups: Iterable[str]) -> Peek:
        self.used += self.peek_cost
        seen: Mapping[str, CgroupPeek] = {path: CgroupPeek(None, None) for path in cgroups}
        return Peek(self.monotonic(), 16 * GIB, self.available(self.at), 0, None, self.kills(self.at), seen)

    def tell(self, what: str, about: str) -> None:
        self.told.append((what, about))

    def run(
        self,
        folder: Path,
        *,
        keep: Keep | None = None,
        rhythm: Rhythm | None = None,
        ring: Ring | None = None,
        labels: Callable[[Iterable[CgroupNames]], Mapping[str, ContainerLabel]] | None = None,
        once: bool = False,
        seconds: float | None = None,
    ) -> int:
        """Records this machine until `until`; gives the number of samples."""
        machine = Machine(self.read, self.peek, labels or ContainerLabels(Path("/nowhere")).labels, ring, "test")
        store = Store(folder, keep or Keep(), tell=self.tell)
        try:
            return Recorder(machine, store, self, rhythm=rhythm or Rhythm(), tell=self.tell).run(
                once=once, seconds=seconds
            )
        finally:
            store.close()
