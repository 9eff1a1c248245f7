"""How far the sizes in /proc may be from the ones that the kernel's choice compares.

Since 6.16, and in late 6.12, /proc/PID/status sums a process's counters exactly while `oom_badness` reads their
approximate base, as /proc/PID/stat does; 7.0 made badness exact too (stat is not). Nothing in /proc tells which it is.
Source: fs/proc/task_mmu.c, fs/proc/array.c, mm/oom_kill.c, lib/percpu_counter.c.
"""

from __future__ import annotations

import re

_RELEASE = re.compile(r"(\d{1,3})\.(\d{1,3})")
# File, anon, shmem pages and swap entries.
COUNTERS = 4


def reads_approximately(release: str | None) -> bool | None:
    """Whether badness may read other numbers than /proc/PID/status has; None where the release is unknown.

    Of 6.12 only late ones do; the early ones have the approximate numbers in both places, so that nothing is lost.
    """
    found = _RELEASE.match(release or "")
    return None if found is None else (6, 12) <= (int(found[1]), int(found[2])) < (7, 0)


def drift_pages(release: str | None, cpus: int | None, counters: int = COUNTERS) -> int | None:
    """The most that the sum of so many counters of a process may differ by, in pages; None where release or processors are unknown."""
    approximate = reads_approximately(release)
    if not approximate:
        return None if approximate is None else 0
    if cpus is None:
        return None
    batch = max(32, 2 * cpus)
    return counters * (batch - 1) * cpus
