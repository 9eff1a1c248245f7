"""Prints OOM reports as kernels of several generations do, from facts: what the decoder must give back.

The formats are those of mm/oom_kill.c, mm/show_mem.c, mm/memcontrol.c and lib/dump_stack.c of each release.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

PAGE_KB = 4


class Scope(StrEnum):
    GLOBAL = "global"
    MEMCG1 = "memcg1"
    MEMCG2 = "memcg2"


@dataclass(frozen=True)
class Generation:
    """What one kernel release prints, as far as it differs from others.

    invoked, killed: formats; head: table header; row: table row; each takes named fields.
    """

    release: str
    invoked: str
    cpu: str
    head: str
    row: str
    killed: str
    cpuset_line: bool = False
    summary: bool = False
    names: bool = True  # names of the gfp flags
    stats: str = "lines"  # memory.stat: "none", "one-line", "lines"
    node_lines: bool = True
    scopes: tuple[Scope, ...] = (Scope.GLOBAL, Scope.MEMCG1, Scope.MEMCG2)


_ADJ = "order={order}, oom_score_adj={adj}"
_ROW = "{total_vm:8d} {rss:8d} "
_KILL = "Killed process {pid} ({comm}) total-vm:{total_vm_kb}kB, anon-rss:{anon_kb}kB, file-rss:{file_kb}kB"
_HEAD_419 = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"
_ROW_419 = "[{pid:7d}] {uid:5d} {pid:5d} " + _ROW + "{pgtables:8d} {swap:8d}         {adj:5d} {comm}"
_HEAD_68 = (
    "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name"
)
_ROW_68 = (
    "[{pid:7d}] {uid:5d} {pid:5d} "
    + _ROW
    + "{rss:8d} {zero:8d} {zero:9d} {pgtables:8d} {swap:8d}         {adj:5d} {comm}"
)
_KILL_54 = _KILL + ", shmem-rss:{shmem_kb}kB, UID:{uid} pgtables:{pgtables_kb}kB oom_score_adj:{adj}"
_CPU = "CPU: 1 PID: {pid} Comm: {comm} Not tainted {release} #1"
_CPU_612 = "CPU: 1 UID: 0 PID: {pid} Comm: {comm} Not tainted {release} #1 PREEMPT(lazy) "

GENERATIONS = (
    Generation(
        release="2.6.32-642.el6.x86_64",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}, order={order}, oom_adj=0, oom_score_adj={adj}",
        cpu="Pid: {pid}, comm: {comm} Not tainted {release} #1",
        head="[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
        row="[{pid:5d}] {uid:5d} {pid:5d} " + _ROW + "{zero:3d} {zero:7d}         {adj:5d} {comm}",
        killed="Killed process {pid}, UID {uid}, ({comm}) total-vm:{total_vm_kb}kB, anon-rss:{anon_kb}kB, file-rss:{file_kb}kB",
        cpuset_line=True,
        names=False,
        stats="none",
        node_lines=False,
        scopes=(Scope.GLOBAL, Scope.MEMCG1),
    ),
    Generation(
        release="3.10.0-957.el7.x86_64",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}, " + _ADJ,
        cpu=_CPU,
        head="[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
        row="[{pid:5d}] {uid:5d} {pid:5d} " + _ROW + "{zero:7d} {swap:8d}         {adj:5d} {comm}",
        killed=_KILL,
        cpuset_line=True,
        names=False,
        stats="one-line",
        node_lines=False,
        scopes=(Scope.GLOBAL, Scope.MEMCG1),
    ),
    Generation(
        release="4.18.0",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}(GFP_KERNEL), nodemask=(null), " + _ADJ,
        cpu=_CPU,
        head="[ pid ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        row="[{pid:5d}] {uid:5d} {pid:5d} " + _ROW + "{pgtables:8d} {swap:8d}         {adj:5d} {comm}",
        killed=_KILL + ", shmem-rss:{shmem_kb}kB",
        cpuset_line=True,
        stats="one-line",
        scopes=(Scope.GLOBAL, Scope.MEMCG1),
    ),
    Generation(
        release="5.4.0-120-generic",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}(GFP_KERNEL), " + _ADJ,
        cpu=_CPU,
        head=_HEAD_419,
        row=_ROW_419,
        killed=_KILL_54,
        summary=True,
    ),
    Generation(
        release="6.1.0-50-amd64",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}(GFP_KERNEL), " + _ADJ,
        cpu=_CPU,
        head=_HEAD_419,
        row=_ROW_419,
        killed=_KILL_54,
        summary=True,
    ),
    Generation(
        release="6.12.107+deb13-amd64",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}(GFP_KERNEL), " + _ADJ,
        cpu=_CPU_612,
        head=_HEAD_68,
        row=_ROW_68,
        killed=_KILL_54,
        summary=True,
    ),
    Generation(
        release="7.2.13+deb14-amd64",
        invoked="{comm} invoked oom-killer: gfp_mask={gfp:#x}(GFP_KERNEL), " + _ADJ,
        cpu=_CPU_612,
        head=_HEAD_68,
        row=_ROW_68,
        killed=_KILL_54,
        summary=True,
    ),
)


@dataclass(frozen=True)
class Process:
    """One row of the table; sizes in pages of 4 kB."""

    comm: str
    pid: int
    uid: int
    adj: int
    total_vm: int
    rss: int
    swap: int
    page_tables: int


@dataclass(frozen=True)
class Facts:
    """One kill. victim: index into processes. Sizes without a unit are pages of 4 kB."""

    invoker: Process
    processes: tuple[Process, ...]
    victim: int
    gfp: int
    order: int
    scope: Scope
    path: str
    limit_kb: int
    usage_kb: int
    ram: int
    free: int
    swap_total_kb: int
    swap_free_kb: int
    anon: int
    file: int
    shmem: int

    @property
    def killed(self) -> Process:
        return self.processes[self.victim]


def report(facts: Facts, kernel: Generation) -> list[str]:
    """The records of one report, without stamps; a record may have several lines."""
    invoker, memcg = facts.invoker, facts.scope is not Scope.GLOBAL
    lines = [kernel.invoked.format(comm=invoker.comm, gfp=facts.gfp, order=facts.order, adj=invoker.adj)]
    if kernel.cpuset_line:
        lines.append(f"{invoker.comm} cpuset=/ mems_allowed=0")
    lines += [
        kernel.cpu.format(comm=invoker.comm, pid=invoker.pid, release=kernel.release),
        "Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.3 04/01/2014",
        "Call Trace:",
        " dump_header+0x4d/0x3e0",
        " oom_kill_process+0x193/0x220",
        *([" mem_cgroup_out_of_memory+0x46/0x80"] if memcg else []),
    ]
    lines += _memcg(facts, kernel) if memcg else _mem_info(facts, kernel)
    lines += _table(facts, kernel)
    lines += _verdict(facts, kernel)
    return lines


def _memcg(facts: Facts, kernel: Generation) -> list[str]:
    path, unlimited = facts.path, 9007199254740988
    lines = [] if kernel.summary else [f"Task in {path} killed as a result of limit of {path}"]
    lines.append(f"memory: usage {facts.usage_kb}kB, limit {facts.limit_kb}kB, failcnt 22")
    if facts.scope is Scope.MEMCG2:
        lines.append(f"swap: usage 0kB, limit {unlimited}kB, failcnt 0")
    else:
        lines.append(f"memory+swap: usage {facts.usage_kb}kB, limit {unlimited}kB, failcnt 0")
        lines.append(f"kmem: usage 16kB, limit {unlimited}kB, failcnt 0")
    anon_kb = facts.anon * PAGE_KB
    if kernel.stats == "one-line":
        lines.append(
            f"Memory cgroup stats for {path}: cache:4KB rss:{anon_kb}KB rss_huge:0KB mapped_file:0KB unevictable:0KB"
        )
    elif kernel.stats == "lines":
        lines += [f"Memory cgroup stats for {path}:", f"anon {anon_kb * 1024}", "file 4096", "pgfault 17"]
    return lines


def _mem_info(facts: Facts, kernel: Generation) -> list[str]:
    free_kb = facts.free * PAGE_KB
    lines = [
        "Mem-Info:",
        f"active_anon:{facts.anon} inactive_anon:0 isolated_anon:0\n"
        f" active_file:{facts.file} inactive_file:0 isolated_file:0\n"
        " unevictable:0 dirty:0 writeback:0\n"
        " slab_reclaimable:216 slab_unreclaimable:1996\n"
        f" mapped:0 shmem:{facts.shmem} pagetables:191 bounce:0\n"
        f" free:{facts.free} free_pcp:0 free_cma:0",
    ]
    if kernel.node_lines:
        lines.append(f"Node 0 active_anon:{facts.anon * PAGE_KB}kB inactive_anon:0kB all_unreclaimable? no")
    lines += [
        f"Node 0 DMA32 free:{free_kb}kB min:40kB low:48kB high:60kB present:{facts.ram * PAGE_KB}kB managed:{facts.ram * PAGE_KB}kB",
        "lowmem_reserve[]: 0 0 0 0",
        f"Node 0 DMA32: {facts.free}*4kB (U) 0*8kB 0*16kB = {free_kb}kB",
        "Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB",
        "1194 total pagecache pages",
        "0 pages in swap cache",
        f"Free swap  = {facts.swap_free_kb}kB",
        f"Total swap = {facts.swap_total_kb}kB",
        f"{facts.ram} pages RAM",
        "0 pages HighMem/MovableOnly",
        "0 pages reserved",
    ]
    return lines


def _table(facts: Facts, kernel: Generation) -> list[str]:
    lines = ["Tasks state (memory values in pages):"] if kernel.head.startswith("[  pid") else []
    lines.append(kernel.head)
    lines += [
        kernel.row.format(
            pid=one.pid, uid=one.uid, total_vm=one.total_vm, rss=one.rss, pgtables=one.page_tables * PAGE_KB * 1024,
            swap=one.swap, adj=one.adj, comm=one.comm, zero=0,
        )
        for one in facts.processes
    ]  # fmt: skip
    return lines


def _verdict(facts: Facts, kernel: Generation) -> list[str]:
    victim, memcg = facts.killed, facts.scope is not Scope.GLOBAL
    message = "Memory cgroup out of memory" if memcg else "Out of memory"
    killed = kernel.killed.format(
        pid=victim.pid, comm=victim.comm, uid=victim.uid, adj=victim.adj, total_vm_kb=victim.total_vm * PAGE_KB,
        anon_kb=facts.anon * PAGE_KB, file_kb=facts.file * PAGE_KB, shmem_kb=facts.shmem * PAGE_KB,
        pgtables_kb=victim.page_tables * PAGE_KB,
    )  # fmt: skip
    if not kernel.summary:
        return [f"{message}: Kill process {victim.pid} ({victim.comm}) score 900 or sacrifice child", killed]
    where = f"oom_memcg={facts.path},task_memcg={facts.path}" if memcg else f"global_oom,task_memcg={facts.path}"
    return [
        f"oom-kill:constraint=CONSTRAINT_{'MEMCG' if memcg else 'NONE'},nodemask=(null),cpuset=/,mems_allowed=0,{where},"
        f"task={victim.comm},pid={victim.pid},uid={victim.uid}",
        f"{message}: {killed}",
    ]


def as_dmesg(records: Sequence[str], start_seconds: float = 100.0) -> bytes:
    """As `dmesg` prints them: every line of a record with the record's stamp."""
    lines = [
        f"[{start_seconds + number / 1000:12.6f}] {line}\n"
        for number, record in enumerate(records)
        for line in record.split("\n")
    ]
    return "".join(lines).encode("utf-8", "surrogateescape")
