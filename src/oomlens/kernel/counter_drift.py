"""How far the sizes in /proc may be from the ones that the kernel's choice compares.

Since 6.16, and in late 6.12, /proc sums a process's counters exactly while `oom_badness` reads their approximate base;
7.0 made both exact. Source: fs/proc/task_mmu.c, mm/oom_kill.c, lib/percpu_counter.c.
"""

from __future__ import annotations

import re

_RELEASE = re.compile(r"(\d{1,3})\.(\d{1,3})")
_COUNTERS = 4  # file, anon, shmem pages and swap entries


def drift_pages(release: str | None, cpus: int | None) -> int | None:
    """The most that a process's sum may differ by, in pages; None where release or processors are unknown."""
    found = _RELEASE.match(release or "")
    if found is None:
        return None
    version = int(found[1]), int(found[2])
    if version < (6, 12) or version >= (7, 0):
        return 0
    if cpus is None:
        return None
    batch = max(32, 2 * cpus)
    return _COUNTERS * (batch - 1) * cpus
