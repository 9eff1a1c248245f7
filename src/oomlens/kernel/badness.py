"""The kernel's choice of a victim: `oom_badness` of each generation, recomputed from a report's task table.

Source: mm/oom_kill.c of 2.6.32 to 7.3 and of RHEL 6 to 8.
With the kernel's own numbers the recomputed choice is exact from epoch C on, as far as a table shows all that counts.
It shows neither capabilities (see `root_is_admin`) nor a task that swapoff or KSM marked as the origin.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from oomlens.model.report import Task

UNKILLABLE = -1000  # OOM_SCORE_ADJ_MIN


class Epoch(StrEnum):
    """A generation of `oom_badness`; the letters are in the order of the kernels.

    A       2.6.32-2.6.35: virtual size, run time and nice value; a table does not show them, so nothing is computed
    B       2.6.36-2.6.38 and RHEL 6: permille of all memory, 1 to 1000 (commit a63d83f427fb)
    B2      2.6.39-3.5: with page tables (commit f755a042d82b)
    C       3.6-3.13: pages + adj * (totalpages / 1000) (commit a7f638f999ff); adj - 30 for root
    D       3.14-4.16 and RHEL 7: own pages - 3 % for root
    E       4.17-5.8 and RHEL 8: no bonus for root (commit d46078b28889)
    F       5.9-6.19 and late 5.4: negative points compare (commit 9066e5cfb73c)
    G       7.0 on: the same from exact counters
    """

    A = "A"
    B = "B"
    B2 = "B2"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    G = "G"


class Tie(StrEnum):
    """Which of several tasks with the same points is chosen."""

    FIRST_SCANNED = "first"  # up to 5.2, RHEL 8.1
    LAST_SCANNED = "last"  # from 5.3, RHEL 8.3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that may be chosen, with its points; None where the table lacks what the kernel counted."""

    task: Task
    points: int | None


# First kernel of each epoch.
_FIRST = (
    ((7, 0), Epoch.G),
    ((5, 9), Epoch.F),
    ((4, 17), Epoch.E),
    ((3, 14), Epoch.D),
    ((3, 6), Epoch.C),
    ((2, 6, 39), Epoch.B2),
    ((2, 6, 36), Epoch.B),
    ((2, 6), Epoch.A),
)
_RELEASE = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(?:-(\d{1,5}))?")
# Red Hat's kernels carry newer code than their number says; others for these distributions (UEK) have other numbers.
_RHEL6 = re.compile(r"2\.6\.32-.*\.el6")
_RHEL7 = re.compile(r"3\.10\.0-.*\.el7")
_RHEL8 = re.compile(r"4\.18\.0-.*\.el8")
# Stable release of 5.4 that was seen to have the code of epoch F; earlier ones from about 5.4.80 may have it too.
_STABLE_54_WITH_F = 195


def epoch_of(release: str | None, columns: Collection[str] = ()) -> Epoch | None:
    """The generation that made a report, by the kernel's release, else by the columns of its task table.

    columns: the names in the table's header, as printed.
    5.4 before 5.4.195 counts as E, though late ones are F; the two differ only among tasks with no points above zero.
    None: no release, and the columns fit several generations.
    """
    version = version_of(release)
    if version is not None:
        if _RHEL6.match(release or ""):
            return Epoch.B
        if _RHEL7.match(release or ""):
            return Epoch.D
        if version[:2] == (5, 4) and version[2] >= _STABLE_54_WITH_F:
            return Epoch.F
        return next((epoch for first, epoch in _FIRST if version >= first), None)
    if "rss_anon" in columns:
        return Epoch.F  # 6.8 on; G computes the same
    if "nr_pmds" in columns:
        return Epoch.D  # 4.0-4.14
    return Epoch.A if "oom_adj" in columns and "oom_score_adj" not in columns else None


def tie_rule(release: str | None, columns: Collection[str] = ()) -> Tie | None:
    """Which of equals the kernel takes; None where release and columns leave it open."""
    version = version_of(release)
    if version is None:
        if "rss_anon" in columns:
            return Tie.LAST_SCANNED
        return Tie.FIRST_SCANNED if {"nr_ptes", "oom_adj"} & set(columns) else None
    if version[:2] == (4, 8):
        return None  # the last for a global OOM, the first for a memcg
    if _RHEL8.match(release or ""):
        # 4.18.0-147 is RHEL 8.1, -240 is 8.3; 8.2 (-193) was not read.
        build = version[3]
        return Tie.FIRST_SCANNED if build < 193 else Tie.LAST_SCANNED if build >= 240 else None
    return Tie.LAST_SCANNED if version >= (5, 3) else Tie.FIRST_SCANNED


def kills_a_child(release: str | None) -> bool:
    """Whether a child of the chosen task is killed in its place, the one with the most points: up to 5.0, but not RHEL 8."""
    version = version_of(release)
    return version is not None and version < (5, 1) and not _RHEL8.match(release or "")


def points(
    task: Task, totalpages: int | None, page_size: int, epoch: Epoch, *, root_is_admin: bool = True
) -> int | None:
    """The badness of a task; pages, in epoch B permille.

    totalpages: what the OOM was about: RAM + swap, or the limit of the cgroup + the swap it may use, in pages.
    It may be None where it does not matter, for a task with adj 0 from epoch C on.
    root_is_admin: False where uid 0 has no CAP_SYS_ADMIN, as in most containers, and so no bonus (epochs B to D).
    None: a number is missing, the task cannot be chosen at all (adj -1000), or the epoch is A.
    The tables of epochs B and B2 have no swap column, that of B2 no page tables either.
    So a task has points in B only if `swap_bytes` was set to 0, because the machine has no swap.
    """
    adj = task.oom_score_adj
    own = _own_pages(task, page_size, epoch)
    if own is None or adj is None or adj == UNKILLABLE or epoch is Epoch.A:
        return None
    root = False
    if epoch in (Epoch.B, Epoch.B2, Epoch.C, Epoch.D):
        if task.uid is None:
            return None
        root = task.uid == 0 and root_is_admin
    if epoch in (Epoch.B, Epoch.B2):
        return None if not totalpages else _permille(own, adj, root, totalpages)
    if root and epoch is Epoch.D:
        own -= own * 3 // 100
    if root and epoch is Epoch.C:
        adj -= 30
    if adj:
        if totalpages is None:
            return None
        # The division comes first: below 1000 pages adj has no effect.
        own += adj * (totalpages // 1000)
    return own if epoch in (Epoch.F, Epoch.G) else max(own, 1)


def rank(
    tasks: Iterable[Task],
    totalpages: int | None,
    page_size: int,
    epoch: Epoch,
    tie: Tie | None = None,
    *,
    root_is_admin: bool = True,
) -> tuple[Candidate, ...]:
    """The tasks that may be chosen, the kernel's choice first; those whose points are unknown stand last.

    tasks: in the order of the table, which is the order of the scan (of a memcg from 5.3 on; before, nearly).
    tie: from `tie_rule`; None orders equals as printed.
    The choice is not always the victim: up to 5.0 one of its children is killed instead, and with
    `vm.oom_kill_allocating_task` or sysrq there is no such choice or no shortage.
    """
    scanned = [
        Candidate(task, points(task, totalpages, page_size, epoch, root_is_admin=root_is_admin))
        for task in tasks
        if _may_be_chosen(task)
    ]
    if tie is Tie.LAST_SCANNED:
        scanned.reverse()
    known = [each for each in scanned if each.points is not None]
    known.sort(key=lambda each: each.points or 0, reverse=True)
    return (*known, *(each for each in scanned if each.points is None))


def total_pages(ram_bytes: int, swap_bytes: int, page_size: int) -> int:
    """`totalpages` of `points`: the RAM the kernel manages or a cgroup's limit, and the swap to go with it."""
    return (ram_bytes + swap_bytes) // page_size


def _may_be_chosen(task: Task) -> bool:
    return task.oom_score_adj != UNKILLABLE and task.oom_adj != -17 and task.pid != 1


def _own_pages(task: Task, page_size: int, epoch: Epoch) -> int | None:
    tables = 0 if epoch is Epoch.B else _table_pages(task, page_size)
    if task.rss_bytes is None or task.swap_bytes is None or tables is None:
        return None
    return task.rss_bytes // page_size + task.swap_bytes // page_size + tables


def _table_pages(task: Task, page_size: int) -> int | None:
    """Pages of page tables: pgtables_bytes, or the columns nr_ptes and (4.0-4.14) nr_pmds where these were kept."""
    if task.pgtables_bytes is not None:
        return task.pgtables_bytes // page_size
    if task.extra is None or "nr_ptes" not in task.extra:
        return None
    return task.extra["nr_ptes"] + task.extra.get("nr_pmds", 0)


def _permille(own: int, adj: int, root: bool, totalpages: int) -> int:
    badness = own * 1000 // totalpages - (30 if root else 0) + adj
    return min(max(badness, 1), 1000)


def version_of(release: str | None) -> tuple[int, int, int, int] | None:
    """`5.10.0-32-amd64` -> (5, 10, 0, 32); None where it is no release."""
    found = _RELEASE.match(release or "")
    if found is None:
        return None
    return int(found[1]), int(found[2]), int(found[3] or 0), int(found[4] or 0)
