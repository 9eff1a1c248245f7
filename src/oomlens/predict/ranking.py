"""The kernel's choice among live processes: `oomlens.kernel.badness` with what /proc shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oomlens.kernel.badness import UNKILLABLE, Epoch, Tie, epoch_of, kills_a_child, points, tie_rule
from oomlens.kernel.counter_drift import COUNTERS, drift_pages, reads_approximately
from oomlens.model.prediction import Spared, Suspect
from oomlens.model.report import Task
from oomlens.model.snapshot import HostMemory, Process


@dataclass(frozen=True, slots=True)
class Kernel:
    """How this kernel compares.

    approximate: it reads resident sizes as /proc/PID/stat has them, not as status has.
    child_instead: a child of the chosen one is killed in its place.
    drift_pages: how far a process's sizes may still be off then; status_drift_pages: where stat has none; None: not known.
    """

    page_size: int
    epoch: Epoch
    tie: Tie | None
    approximate: bool
    drift_pages: int | None
    status_drift_pages: int | None
    init_is_spared: bool
    child_instead: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """suspects: the choice first; margin_bytes: to the second."""

    suspects: tuple[Suspect, ...]
    spared: tuple[Spared, ...]
    margin_bytes: int | None
    certain: bool | None


def kernel_of(host: HostMemory) -> Kernel:
    """By the release; unknown ones compare as every kernel since 5.9 does."""
    swapping = host.meminfo.get("swap_total_bytes") != 0
    return Kernel(
        page_size=host.page_size,
        epoch=epoch_of(host.kernel_release) or Epoch.F,
        tie=tie_rule(host.kernel_release) if host.kernel_release is not None else Tie.LAST_SCANNED,
        approximate=bool(reads_approximately(host.kernel_release)),
        drift_pages=drift_pages(host.kernel_release, host.cpus, 1 if swapping else 0),
        status_drift_pages=drift_pages(host.kernel_release, host.cpus, COUNTERS if swapping else COUNTERS - 1),
        # The kernel spares the init of the machine; pid 1 of a container is like any other.
        init_is_spared=host.initial_pid_namespace is not False,
        child_instead=kills_a_child(host.kernel_release),
    )


def compared_rss_bytes(process: Process, kernel: Kernel) -> int | None:
    """The resident size that this kernel's badness reads."""
    if not kernel.approximate or process.stat_rss_pages is None or process.rss_bytes is None:
        return process.rss_bytes
    return process.stat_rss_pages * kernel.page_size


def task_of(process: Process, kernel: Kernel) -> Task:
    """The process as a row of the kernel's task table."""
    return Task(
        pid=process.pid,
        tgid=process.pid,
        uid=process.uid,
        comm=process.comm,
        total_vm_bytes=process.total_vm_bytes,
        rss_bytes=compared_rss_bytes(process, kernel),
        pgtables_bytes=process.pgtables_bytes,
        swap_bytes=process.swap_bytes,
        oom_score_adj=process.oom_score_adj,
    )


def own_bytes(process: Process) -> int | None:
    """What badness counts before oom_score_adj: resident, swapped, page tables."""
    parts = (process.rss_bytes, process.swap_bytes, process.pgtables_bytes)
    return None if None in parts else sum(part or 0 for part in parts)


def rank(processes: Sequence[Process], total_bytes: int | None, kernel: Kernel) -> Ranking:
    """The processes that may be chosen, best first, and those that never are.

    processes: in the order of creation, which is nearly the order of the kernel's scan; total_bytes: RAM or limit, and swap.
    """
    total_pages = None if total_bytes is None else max(1, total_bytes // kernel.page_size)
    spared: list[Spared] = []
    scanned: list[tuple[Process, int | None]] = []
    for process in processes:
        why = _spared_because(process, kernel)
        if why is not None:
            spared.append(Spared(process.pid, process.comm, why, own_bytes(process)))
        elif not _has_no_memory(process):
            scanned.append((process, points(task_of(process, kernel), total_pages, kernel.page_size, kernel.epoch)))
    if kernel.tie is Tie.LAST_SCANNED:
        scanned.reverse()
    scanned.sort(key=lambda each: (each[1] is not None, each[1] or 0), reverse=True)
    first = scanned[0][1] if scanned else None
    second = scanned[1][1] if len(scanned) > 1 else None
    suspects = tuple(
        _suspect(process, badness, first, second if number == 0 else None, total_pages, kernel)
        for number, (process, badness) in enumerate(scanned)
    )
    margin = suspects[1].behind_bytes if len(suspects) > 1 else None
    return Ranking(suspects, tuple(spared), margin, _certain(scanned, margin, kernel))


def _spared_because(process: Process, kernel: Kernel) -> str | None:
    if process.pid == 1 and kernel.init_is_spared:
        return "init"
    return "oom-score-adj-minimum" if process.oom_score_adj == UNKILLABLE else None


def _has_no_memory(process: Process) -> bool:
    """Kernel threads and what has ended: nothing to free, so never chosen."""
    return process.kernel_thread or (process.state in ("Z", "X") and process.rss_bytes == 0)


def _suspect(
    process: Process, badness: int | None, first: int | None, second: int | None, total: int | None, kernel: Kernel
) -> Suspect:
    """second: the points of the second where this is the first, else None."""
    size = kernel.page_size
    known = badness is not None and first is not None
    return Suspect(
        pid=process.pid,
        comm=process.comm,
        score=None if badness is None or total is None else _truncated(badness * 1000, total),
        points_bytes=None if badness is None else badness * size,
        oom_score_adj=process.oom_score_adj,
        rss_bytes=process.rss_bytes,
        swap_bytes=process.swap_bytes,
        pgtables_bytes=process.pgtables_bytes,
        behind_bytes=(first - badness) * size if known and first is not None and badness is not None else None,
        oom_score=process.oom_score,
        uid=process.uid,
        cgroup=process.cgroup,
        why=_arithmetic(process, badness, total, kernel),
        turn_adj=_turn_adj(process.oom_score_adj, badness, first, second, total),
    )


def _turn_adj(
    adj: int | None, badness: int | None, first: int | None, second: int | None, total: int | None
) -> int | None:
    """The score at which the choice changes: of the first the highest that spares it, of another the lowest that brings it forward."""
    step = (total or 0) // 1000
    if adj is None or badness is None or first is None or not step:
        return None
    if second is not None:
        # As many steps down as bring it below the second.
        return max(UNKILLABLE, adj - ((badness - second) // step + 1))
    if badness == first:
        return None
    forward = adj + (first - badness) // step + 1
    return forward if forward <= -UNKILLABLE else None


def _truncated(value: int, by: int) -> int:
    """Division as in C."""
    return value // by if value >= 0 else -(-value // by)


def _arithmetic(process: Process, badness: int | None, total: int | None, kernel: Kernel) -> str:
    if badness is None:
        return "not all numbers that the kernel compares could be read"
    terms = [
        f"{name} {amount // kernel.page_size}"
        for name, amount in (
            ("rss", compared_rss_bytes(process, kernel)), ("swap", process.swap_bytes), ("pgtables", process.pgtables_bytes),
        )
        if amount is not None
    ]  # fmt: skip
    if process.oom_score_adj and total is not None:
        terms.append(f"oom_score_adj {process.oom_score_adj} * {total // 1000}")
    return f"{' + '.join(terms)} = {badness} pages"


def _certain(ranked: Sequence[tuple[Process, int | None]], margin: int | None, kernel: Kernel) -> bool | None:
    """Whether the margin is larger than what the first two may be off by together; equals are decided by the scan's order."""
    if any(badness is None for _, badness in ranked):
        return None
    if len(ranked) < 2:
        return True
    drifts = [_drift_pages(process, kernel) for process, _ in ranked[:2]]
    if margin is None or None in drifts:
        return None
    return margin > sum(drift or 0 for drift in drifts) * kernel.page_size


def _drift_pages(process: Process, kernel: Kernel) -> int | None:
    return kernel.status_drift_pages if process.stat_rss_pages is None else kernel.drift_pages
