"""A report: one decoded out-of-memory event.

Sizes are int bytes, the unit is in the name.
None means that the log did not say; `Report.gaps` says why.
JSON form: `oomlens.model.codec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

Counters = Mapping[str, int]
NO_COUNTERS: Counters = {}


class Kind(StrEnum):
    """What sort of evidence the report is made of."""

    KERNEL = "kernel"  # the kernel's own OOM killer spoke
    USERSPACE = "userspace"  # a guard in user space killed (systemd-oomd, earlyoom, lmkd, kubelet …)
    NOTICE = "notice"  # somebody says that a kill happened (systemd, containerd, docker, kubelet events)
    APPLICATION = "application"  # a program ran out of its own memory (JVM, Node, Go, .NET); nobody was killed


class Trigger(StrEnum):
    ALLOCATION = "allocation"
    SYSRQ = "sysrq"
    PAGEFAULT = "pagefault"
    USERSPACE = "userspace"


class Scope(StrEnum):
    GLOBAL = "global"
    MEMCG = "memcg"
    CPUSET = "cpuset"
    MEMPOLICY = "mempolicy"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    KILLED = "killed"
    PANIC = "panic"
    NO_KILLABLE_PROCESS = "no_killable_process"
    NOT_KILLED = "not_killed"
    UNKNOWN = "unknown"


class Origin(NamedTuple):
    """Where a report stands. Lines count from 1, bytes from 0, last_byte is exclusive.

    In a compressed source or an archive member, bytes and lines are those of the decompressed text.
    """

    source: str
    envelope: str
    first_line: int
    last_line: int
    first_byte: int
    last_byte: int


class Gap(NamedTuple):
    """Something that a report should have and has not.

    what: name of the field or section. why: a kebab-case reason (`oomlens.decode.gaps`). line: where, if known.
    """

    what: str
    why: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Invoker:
    """The task whose allocation failed; not the victim."""

    comm: str | None = None
    pid: int | None = None
    gfp_mask: int | None = None
    gfp_flags: tuple[str, ...] | None = None
    order: int | None = None
    oom_score_adj: int | None = None
    oom_adj: int | None = None  # kernels up to 3.6
    nodemask: str | None = None
    cpu: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class CgroupNames:
    """What a cgroup path says in words; each part None where the path does not contain it.

    runtime: docker, podman, containerd, cri-o, lxc, … ; manager: systemd, kubernetes, slurm, nomad, ecs, …
    """

    path: str
    unit: str | None = None
    slice: str | None = None
    user_uid: int | None = None
    session: str | None = None
    runtime: str | None = None
    container_id: str | None = None
    container_name: str | None = None
    pod_uid: str | None = None  # Kubernetes pod uid, Podman pod id
    pod_name: str | None = None  # namespace/pod; no path has it, only the machine itself may know
    qos_class: str | None = None  # Guaranteed, Burstable, BestEffort
    job: str | None = None  # Slurm job and step, Nomad allocation, ECS task
    manager: str | None = None
    app: str | None = None  # desktop application, snap or flatpak, by its id


@dataclass(frozen=True, slots=True)
class Memcg:
    """The memory-cgroup block. A limit that the kernel printed as its maximum is None with its name in `unlimited`."""

    usage_bytes: int | None = None
    limit_bytes: int | None = None
    failcnt: int | None = None
    swap_usage_bytes: int | None = None
    swap_limit_bytes: int | None = None
    swap_failcnt: int | None = None
    memsw_usage_bytes: int | None = None
    memsw_limit_bytes: int | None = None
    memsw_failcnt: int | None = None
    kmem_usage_bytes: int | None = None
    kmem_limit_bytes: int | None = None
    kmem_failcnt: int | None = None
    unlimited: frozenset[str] = frozenset()  # of "memory", "swap", "memsw", "kmem"
    stats_path: str | None = None
    stats: Counters = field(default_factory=dict)  # of the cgroup itself; sizes in bytes, events as counts
    child_stats: Mapping[str, Counters] = field(default_factory=dict)  # per cgroup of the subtree (up to 5.2)
    protection: Counters = field(default_factory=dict)  # min_bytes, low_bytes (6.19+)


@dataclass(frozen=True, slots=True)
class Node:
    """A `Node N active_anon:…` line (4.8+); keys end in `_bytes` unless they are counts."""

    node: int
    counters: Counters
    all_unreclaimable: bool | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its `free: min: low: high:` line, `lowmem_reserve[]` and buddy line.

    node is None on a non-NUMA kernel.
    """

    node: int | None
    name: str
    counters: Counters = field(default_factory=dict)  # free_bytes, min_bytes, …
    all_unreclaimable: bool | None = None
    lowmem_reserve_pages: tuple[int, ...] = ()
    buddy: Mapping[int, int] | None = None  # order -> free blocks
    buddy_types: Mapping[int, str] | None = None  # order -> letters such as "UME"
    buddy_total_bytes: int | None = None


class HugePages(NamedTuple):
    """One hugepage pool; counts of pages of `size_bytes`."""

    node: int | None
    total: int
    free: int
    surplus: int
    size_bytes: int


class Slab(NamedTuple):
    name: str
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The Mem-Info block.

    counters: every counter printed, keyed as in JSON: `<name>_bytes` where the page size is known, else `<name>_pages`;
    always with the contract's keys where the log has them (`swap_total_bytes`, `free_bytes`, `ram_pages` …).
    """

    counters: Counters
    page_size: int | None = None
    nodes: tuple[Node, ...] = ()
    zones: tuple[Zone, ...] = ()
    hugepages: tuple[HugePages, ...] = ()
    unreclaimable_slab: tuple[Slab, ...] = ()
    allocations: tuple[tuple[str, str], ...] = ()  # (size as printed, call site): memory allocation profiling, 6.10+

    def get(self, key: str) -> int | None:
        return self.counters.get(key)


class Task(NamedTuple):
    """A row of the task table. pages: the page counts as printed, only where the page size is unknown."""

    pid: int
    tgid: int | None
    uid: int | None
    comm: str
    total_vm_bytes: int | None
    rss_bytes: int | None
    rss_anon_bytes: int | None = None
    rss_file_bytes: int | None = None
    rss_shmem_bytes: int | None = None
    pgtables_bytes: int | None = None
    swap_bytes: int | None = None
    oom_score_adj: int | None = None
    oom_adj: int | None = None
    pages: Counters | None = None
    extra: Counters | None = None  # columns that we do not know, as printed


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that was killed (or, in a report without a kill, chosen).

    why: "chosen", "child" (killed instead of its chosen parent), "oom.group", "shared-mm"; None if not said.
    reaped: True where oom_reaper freed its memory, False where it says it could not, None where it is silent.
    signal: for user-space killers, the signal they say they sent.
    """

    pid: int | None
    comm: str | None
    tgid: int | None = None
    uid: int | None = None
    total_vm_bytes: int | None = None
    anon_rss_bytes: int | None = None
    file_rss_bytes: int | None = None
    shmem_rss_bytes: int | None = None
    pgtables_bytes: int | None = None
    swap_bytes: int | None = None
    rss_bytes: int | None = None  # user-space killers that print one figure
    oom_score_adj: int | None = None
    score: int | None = None
    reaped: bool | None = None
    why: str | None = None
    signal: str | None = None
    line: int | None = None


class Share(NamedTuple):
    """One part of the memory balance.

    name: anon, file, shmem, slab_reclaimable, slab_unreclaimable, kernel_stack, pagetables, hugetlb, free, …
    and unaccounted for the rest.
    """

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """One out-of-memory event; see the design's JSON contract for every key."""

    id: str
    kind: Kind
    origin: Origin
    killer: str | None
    outcome: Outcome = Outcome.UNKNOWN
    scope: Scope = Scope.UNKNOWN
    constraint: str | None = None
    trigger: Trigger | None = None
    also_in: tuple[Origin, ...] = ()
    time: str | None = None  # RFC 3339
    uptime_seconds: float | None = None
    host: str | None = None
    kernel_release: str | None = None
    tainted: str | None = None
    hardware: str | None = None
    invoker: Invoker | None = None
    cpuset: str | None = None
    mems_allowed: str | None = None
    nodemask: str | None = None
    oom_memcg: str | None = None
    task_memcg: str | None = None
    oom_memcg_names: CgroupNames | None = None
    task_memcg_names: CgroupNames | None = None
    oom_group: str | None = None  # the cgroup killed whole (memory.oom.group)
    memcg: Memcg | None = None
    memory: Memory | None = None
    balance: tuple[Share, ...] | None = None
    trace: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    chosen: Victim | None = None  # the task selected before "sacrifice child"
    victims: tuple[Victim, ...] = ()
    message: str | None = None  # the line that tells the decision, as printed
    panic: str | None = None  # the panic's text
    repeats: int = 1  # identical reports collapsed into this one
    suppressed: int | None = None  # "callbacks suppressed" in front of it
    details: Mapping[str, str] = field(default_factory=dict)  # what other killers and notices say, by name
    notices: tuple[str, ...] = ()  # other programs' words on the same kill
    lines: Counters = field(default_factory=dict)  # field path ("memory.swap_total") -> line where it was read first
    sections: tuple[str, ...] = ()  # of invoker, trace, memcg, memory, tasks, verdict, reaper
    complete: bool = False
    gaps: tuple[Gap, ...] = ()
