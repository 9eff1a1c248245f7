"""A snapshot: the memory of the live machine at one instant.

Sizes are int bytes, the unit is in the name; None means that it could not be read, and `Snapshot.gaps` says why.
JSON form: `oomlens.model.snapshot_codec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oomlens.model.report import CgroupNames, Counters, Gap, Node, Slab, Zone

Setting = int | str


class Stall(NamedTuple):
    """One line of a pressure file: share of time that tasks stood still, and the time altogether (psi.rst)."""

    avg10_percent: float
    avg60_percent: float
    avg300_percent: float
    total_seconds: float


class Pressure(NamedTuple):
    """A pressure file: `some` tasks stood still, or all of them (`full`)."""

    some: Stall | None = None
    full: Stall | None = None


class Swap(NamedTuple):
    """A line of /proc/swaps. kind: partition or file."""

    name: str
    kind: str
    size_bytes: int
    used_bytes: int
    priority: int


class Zram(NamedTuple):
    """A compressed block device in RAM (zram.rst, mm_stat). limit_bytes 0: no limit."""

    name: str
    disk_bytes: int
    data_bytes: int
    compressed_bytes: int
    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What the kernel says of the machine as a whole.

    meminfo: every line of /proc/meminfo; `MemTotal: 1 kB` is `mem_total_bytes`, lines without a unit are counts.
    vmstat: every line of /proc/vmstat under the kernel's name; counts, pages, events.
    pressure: by resource: memory, io, cpu.
    settings: sysctls of `vm` and what else decides, by short name; missing where the kernel has none.
    oom_kills: kills since boot, of the machine and of cgroups (vmstat `oom_kill`, 4.13 on).
    initial_pid_namespace: False in a container, where pid 1 is not the init that the kernel spares.
    slabs: the largest kernel caches; None where not asked for or not readable.
    """

    page_size: int
    name: str | None = None
    kernel_release: str | None = None
    boot_id: str | None = None
    uptime_seconds: float | None = None
    cpus: int | None = None
    initial_pid_namespace: bool | None = None
    meminfo: Counters = field(default_factory=dict)
    vmstat: Counters = field(default_factory=dict)
    pressure: Mapping[str, Pressure] = field(default_factory=dict)
    swaps: tuple[Swap, ...] | None = None
    zrams: tuple[Zram, ...] | None = None
    zones: tuple[Zone, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    slabs: tuple[Slab, ...] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    oom_kills: int | None = None

    def setting(self, name: str) -> int | None:
        """A numeric setting; None where it is unknown or a word."""
        value = self.settings.get(name)
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class CgroupUsage:
    """A memory cgroup.

    path: as /proc/PID/cgroup shows it. version: of the memory controller, 1 or 2.
    A limit that is set to "max" is None with its name in `unlimited` (memory, high, swap, memsw).
    memsw_*: memory and swap together, version 1 only; swap_*: version 2, in version 1 only the usage.
    effective_*: the tightest of the cgroup itself and all ancestors that can be seen, None where there is no limit.
    effective_max_path: the cgroup that sets `effective_max_bytes`.
    events: counts of `memory.events` (version 2), or `failcnt`, `oom_kill`, `under_oom` (version 1).
    stat: `memory.stat` as printed: sizes in bytes, events as counts; in version 1 `total_…` include descendants.
    oom_kill_disabled: version 1 only; tasks then sleep instead of being killed.
    use_hierarchy: version 1 only; False (possible before 5.11): its limit does not hold for the cgroups below it.
    """

    path: str
    version: int
    names: CgroupNames
    current_bytes: int | None = None
    peak_bytes: int | None = None
    max_bytes: int | None = None
    high_bytes: int | None = None
    swap_current_bytes: int | None = None
    swap_max_bytes: int | None = None
    memsw_current_bytes: int | None = None
    memsw_max_bytes: int | None = None
    unlimited: frozenset[str] = frozenset()
    effective_max_bytes: int | None = None
    effective_max_path: str | None = None
    effective_high_bytes: int | None = None
    effective_swap_max_bytes: int | None = None
    swappiness: int | None = None
    oom_group: bool | None = None
    oom_kill_disabled: bool | None = None
    use_hierarchy: bool | None = None
    events: Counters = field(default_factory=dict)
    stat: Counters = field(default_factory=dict)
    pressure: Pressure | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """A process (thread group).

    comm: the kernel's name of the main thread, up to 15 bytes, chosen by the process itself.
    namespace_pid: its pid in its own pid namespace; 1 for the first process of a container.
    started_uptime_seconds: when it started, on the clock of `HostMemory.uptime_seconds`; with pid its identity.
    rss_*: as /proc/PID/status has them; before 4.5 only their sum is known.
    rss_peak_bytes: the most that its resident size ever was (VmHWM).
    stat_rss_pages: as /proc/PID/stat has it, which is what badness compares where status sums exactly
    (`oomlens.kernel.counter_drift`); None where the main thread has ended.
    cgroup: path of its memory cgroup; None where unreadable.
    mems_allowed: memory nodes of its cpuset, such as "0-1".
    mempolicies: memory policies of its threads as numa_maps prints them, such as "bind:1"; None where not asked for.
    oom_score: the kernel's own figure, against the whole machine.
    kernel_thread: has no memory of its own; its sizes are None.
    pss_bytes, cmdline: None where they were not asked for, or not readable.
    """

    pid: int
    comm: str
    state: str
    ppid: int
    threads: int
    started_uptime_seconds: float
    kernel_thread: bool = False
    uid: int | None = None
    namespace_pid: int | None = None
    cmdline: tuple[str, ...] | None = None
    total_vm_bytes: int | None = None
    rss_bytes: int | None = None
    rss_peak_bytes: int | None = None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    stat_rss_pages: int | None = None
    swap_bytes: int | None = None
    pgtables_bytes: int | None = None
    locked_bytes: int | None = None
    hugetlb_bytes: int | None = None
    pss_bytes: int | None = None
    major_faults: int | None = None
    cpu_seconds: float | None = None
    oom_score: int | None = None
    oom_score_adj: int | None = None
    mems_allowed: str | None = None
    mempolicies: tuple[str, ...] | None = None
    cgroup: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The machine, its memory cgroups (a parent before its children) and its processes (by pid) at one instant.

    time_seconds: of the epoch, when reading began; None where the reader has no clock.
    """

    host: HostMemory
    cgroups: tuple[CgroupUsage, ...] = ()
    processes: tuple[Process, ...] = ()
    time_seconds: float | None = None
    gaps: tuple[Gap, ...] = ()
