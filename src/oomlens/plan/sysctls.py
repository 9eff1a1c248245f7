"""The sysctls that decide how memory runs out: their bounds, and what a person should know. Source: sysctl/vm.rst, kernel.rst."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.i18n import message

_INT_MAX = (1 << 31) - 1
_ULONG_MAX = (1 << 63) - 1  # what fits everywhere


class Sysctl(NamedTuple):
    """key: with slashes. low, high: what the kernel accepts. note: one sentence for people."""

    key: str
    low: int
    high: int
    note: str


ROWS: tuple[Sysctl, ...] = (
    Sysctl("kernel/panic", -1, _INT_MAX, message("Seconds after a panic until the machine reboots; 0: never.")),
    Sysctl("kernel/pid_max", 301, 4194304, message("Process ids, and so processes and threads, of the machine.")),
    Sysctl("kernel/threads-max", 20, 1073741823, message("Processes and threads of the machine.")),
    Sysctl("vm/admin_reserve_kbytes", 0, _ULONG_MAX, message("Kept for root under overcommit; enough to log in and kill.")),
    Sysctl("vm/compaction_proactiveness", 0, 100, message("How much compaction goes on in the background; default 20.")),
    Sysctl("vm/extfrag_threshold", 0, 1000, message("From which fragmentation on memory is compacted rather than reclaimed.")),
    Sysctl("vm/max_map_count", 65530, _INT_MAX, message("Mappings a process may have; above it mmap fails with ENOMEM.")),
    Sysctl("vm/min_free_kbytes", 0, _INT_MAX, message("What the kernel keeps free; about 1 % of RAM, never more than 5 %.")),
    Sysctl("vm/nr_hugepages", 0, _ULONG_MAX, message("Huge pages set apart, lost to everything else.")),
    Sysctl("vm/nr_overcommit_hugepages", 0, _ULONG_MAX, message("Huge pages that may be made beyond those set apart.")),
    Sysctl("vm/oom_dump_tasks", 0, 1, message("Whether the kernel lists the processes when it kills.")),
    Sysctl("vm/oom_kill_allocating_task", 0, 1, message("Kill whoever asks for memory, not the largest.")),
    Sysctl("vm/overcommit_kbytes", 0, _ULONG_MAX, message("What may be promised beside swap under strict overcommit.")),
    Sysctl("vm/overcommit_memory", 0, 2, message("0: by rule of thumb, 1: everything is promised, 2: strict.")),
    Sysctl("vm/overcommit_ratio", 0, _INT_MAX, message("Percent of RAM that may be promised under strict overcommit.")),
    Sysctl("vm/page-cluster", 0, 31, message("Pages read from swap at once, as a power of two; 0 suits zram.")),
    Sysctl("vm/panic_on_oom", 0, 2, message("Panic instead of killing.")),
    Sysctl("vm/swappiness", 0, 200, message("How readily anonymous memory is swapped against cache; 100: equally.")),
    Sysctl("vm/user_reserve_kbytes", 0, _ULONG_MAX, message("Kept for a user under strict overcommit.")),
    Sysctl("vm/vfs_cache_pressure", 0, _INT_MAX, message("How readily inode and directory caches are reclaimed; 100: as others.")),
    Sysctl("vm/watermark_boost_factor", 0, _INT_MAX, message("How far reclaim goes on after fragmentation.")),
    Sysctl("vm/watermark_scale_factor", 1, 3000, message("Distance of the watermarks in 1/10000 of memory: how early reclaim begins.")),
    Sysctl("vm/zone_reclaim_mode", 0, 7, message("Reclaim on the own node before others are used.")),
)  # fmt: skip
BY_KEY = {row.key: row for row in ROWS}
