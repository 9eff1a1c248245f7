"""The flight recorder's history: compact samples of the machine's memory, and the kills between them.

Sizes are int bytes, the unit is in the name; None means that it could not be read.
How samples are stored: `oomlens.model.sample_codec`; how curves are taken from them: `oomlens.model.history_series`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from oomlens.model.report import Gap, Report
from oomlens.model.snapshot import Snapshot


class HostFigures(NamedTuple):
    """What the machine as a whole held, from /proc/meminfo, vmstat and pressure.

    file_bytes: active and inactive page cache. committed_bytes: Committed_AS.
    some_*, full_*: pressure of memory (psi.rst); *_stalled_seconds count from boot.
    major_faults, swapped_in_pages, swapped_out_pages, oom_kills: counts since boot. processes: without kernel threads.
    """

    total_bytes: int | None = None
    available_bytes: int | None = None
    free_bytes: int | None = None
    anon_bytes: int | None = None
    file_bytes: int | None = None
    shmem_bytes: int | None = None
    slab_reclaimable_bytes: int | None = None
    slab_unreclaimable_bytes: int | None = None
    pagetables_bytes: int | None = None
    kernel_stack_bytes: int | None = None
    hugetlb_bytes: int | None = None
    committed_bytes: int | None = None
    swap_total_bytes: int | None = None
    swap_free_bytes: int | None = None
    some_avg10_percent: float | None = None
    full_avg10_percent: float | None = None
    some_stalled_seconds: float | None = None
    full_stalled_seconds: float | None = None
    major_faults: int | None = None
    swapped_in_pages: int | None = None
    swapped_out_pages: int | None = None
    oom_kills: int | None = None
    processes: int | None = None


class CgroupFigures(NamedTuple):
    """A memory cgroup. max_bytes, high_bytes, swap_max_bytes: its own limits, None where it has none.

    effective_max_bytes: the tightest of itself and its ancestors. file_bytes: active and inactive page cache.
    In version 1 the parts are those of the whole subtree, as in version 2.
    container, pod: names that the container runtime or Kubernetes gave (`namespace/pod`), where they could be found.
    """

    path: str
    current_bytes: int | None = None
    max_bytes: int | None = None
    high_bytes: int | None = None
    effective_max_bytes: int | None = None
    swap_current_bytes: int | None = None
    swap_max_bytes: int | None = None
    anon_bytes: int | None = None
    file_bytes: int | None = None
    shmem_bytes: int | None = None
    slab_reclaimable_bytes: int | None = None
    kernel_bytes: int | None = None
    oom_kills: int | None = None
    some_avg10_percent: float | None = None
    container: str | None = None
    pod: str | None = None

    @property
    def held_bytes(self) -> int | None:
        """What it uses and reclaim cannot simply drop: usage without page cache and reclaimable slab."""
        if self.current_bytes is None:
            return None
        return max(0, self.current_bytes - (self.file_bytes or 0) - (self.slab_reclaimable_bytes or 0))


class ProcessFigures(NamedTuple):
    """One of the largest processes. pid and started_uptime_seconds (to a hundredth) are its identity."""

    pid: int
    started_uptime_seconds: float
    comm: str
    uid: int | None = None
    cgroup: str | None = None
    rss_bytes: int | None = None
    rss_anon_bytes: int | None = None
    swap_bytes: int | None = None
    pgtables_bytes: int | None = None
    oom_score_adj: int | None = None

    @property
    def held_bytes(self) -> int | None:
        """What the kernel's badness counts: RSS, swap and page tables; None where RSS is unknown."""
        if self.rss_bytes is None:
            return None
        return self.rss_bytes + (self.swap_bytes or 0) + (self.pgtables_bytes or 0)


class Sample(NamedTuple):
    """The machine at one instant.

    time_seconds: of the epoch, to the millisecond. uptime_seconds: since boot, to the hundredth.
    cgroups: those with limits or of some size, sorted by path. processes: the largest, sorted by pid and start.
    """

    time_seconds: float
    uptime_seconds: float | None
    boot_id: str | None
    host: HostFigures
    cgroups: tuple[CgroupFigures, ...] = ()
    processes: tuple[ProcessFigures, ...] = ()


class CgroupPeek(NamedTuple):
    """A cgroup's usage and its counter of kills; None where they could not be read."""

    current_bytes: int | None
    oom_kills: int | None


class Peek(NamedTuple):
    """What can be read in well under a millisecond, to know whether a whole sample is due.

    monotonic_seconds: when; some_stalled_seconds: as in `HostFigures`. cgroups: by path.
    """

    monotonic_seconds: float
    total_bytes: int | None = None
    available_bytes: int | None = None
    swap_free_bytes: int | None = None
    some_stalled_seconds: float | None = None
    oom_kills: int | None = None
    cgroups: Mapping[str, CgroupPeek] = MappingProxyType({})


class ContainerLabel(NamedTuple):
    """What a container is called by those who started it; found on the machine while it still exists.

    namespace and pod: of Kubernetes; pod also of Podman. image: as it was asked for.
    """

    container_id: str | None = None
    name: str | None = None
    image: str | None = None
    pod: str | None = None
    namespace: str | None = None

    @property
    def pod_path(self) -> str | None:
        """`namespace/pod`, or the pod alone."""
        return self.pod if self.namespace is None or self.pod is None else f"{self.namespace}/{self.pod}"


class CgroupKills(NamedTuple):
    """How many more kills a cgroup's own counter shows than before."""

    path: str
    kills: int


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill that the recorder noticed.

    seen_by: "kmsg" (the kernel's report) or "counters" (memory.events, vmstat), where only the number is known.
    report: None where the kernel's log could not be read. count: kills that this stands for.
    cgroups: whose counters grew. gone: large processes of the sample before that are not there any more.
    labels: names of the containers of the cgroups concerned, by cgroup path.
    before_seconds: time of the snapshot before the kill; snapshot: that one, whole; None where it was not asked for, or not kept.
    """

    time_seconds: float
    seen_by: str
    uptime_seconds: float | None = None
    boot_id: str | None = None
    report: Report | None = None
    count: int = 1
    cgroups: tuple[CgroupKills, ...] = ()
    gone: tuple[ProcessFigures, ...] = ()
    labels: tuple[tuple[str, ContainerLabel], ...] = ()
    before_seconds: float | None = None
    snapshot: Snapshot | None = None


class Begin(NamedTuple):
    """The head of every file of a history: which machine and boot its samples are of."""

    time_seconds: float
    boot_id: str | None = None
    host: str | None = None
    kernel_release: str | None = None
    page_size: int | None = None
    version: str | None = None


class HistoryFile(NamedTuple):
    """A file of a history. damage: None where every byte is as it was written, else in one word what is wrong with it."""

    name: str
    size_bytes: int
    begin: Begin | None
    first_seconds: float | None
    last_seconds: float | None
    samples: int
    kills: int
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What a history holds of a span of time, in the order in which it was recorded.

    files: those that were looked at because of the span. gaps: what could not be read of them.
    """

    folder: str
    samples: tuple[Sample, ...] = ()
    kills: tuple[Kill, ...] = ()
    files: tuple[HistoryFile, ...] = ()
    gaps: tuple[Gap, ...] = ()
