"""Why this victim: the kernel's badness recomputed, and what would have changed the choice."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.diagnose.figures import held_by
from oomlens.kernel.badness import UNKILLABLE, Epoch, epoch_of, points, rank, tie_rule, total_pages
from oomlens.kernel.balance import usable_ram
from oomlens.model.finding import Candidate, Choice
from oomlens.model.report import Kind, Outcome, Report, Scope, Task, Trigger

# The task table shows no capabilities; in a container root has none, so no bonus (3.14 to 4.16 and RHEL 7).
_MOST = 10


def choice_of(report: Report) -> Choice:
    """The kernel's choice of this report, as far as its task table allows."""
    if report.kind is not Kind.KERNEL:
        return Choice("unknown")
    epoch = epoch_of(report.kernel_release, _columns(report.tasks))
    page_size = report.memory.page_size if report.memory is not None and report.memory.page_size else _page_size(report)
    total = _total_pages(report, page_size)
    killed = {victim.pid for victim in report.victims}
    candidates: tuple[Candidate, ...] = ()
    if epoch is not None and page_size is not None and report.tasks:
        admin = report.scope is not Scope.MEMCG
        ranked = rank(
            report.tasks,
            total,
            page_size,
            epoch,
            tie_rule(report.kernel_release, _columns(report.tasks)),
            root_is_admin=admin,
        )
        candidates = tuple(_candidate(each.task, each.points, total, epoch, killed) for each in ranked)
    spared = tuple(
        _candidate(task, None, total, epoch, killed)
        for task in sorted(report.tasks, key=lambda task: -(task.rss_bytes or 0))
        if (task.oom_score_adj == UNKILLABLE or task.pid == 1) and task.rss_bytes
    )
    return Choice(
        how=_how(report, candidates),
        algorithm=epoch.value if epoch is not None else None,
        total_pages=total,
        candidates=candidates[:_MOST],
        spared=spared[:_MOST],
        first_without_adj=_without_adj(report, candidates, page_size, epoch),
        spare_at_adj=_spare_at(candidates, total, killed),
    )


def _columns(tasks: Sequence[Task]) -> tuple[str, ...]:
    """What the table's header must have said, by the columns that its rows have."""
    if not tasks:
        return ()
    first = tasks[0]
    names = list(first.extra or ())
    if first.rss_anon_bytes is not None or (first.pages is not None and "rss_anon" in first.pages):
        names.append("rss_anon")
    if first.oom_adj is not None:
        names.append("oom_adj")
    if first.oom_score_adj is not None:
        names.append("oom_score_adj")
    return tuple(names)


def _page_size(report: Report) -> int | None:
    """The size that a table's bytes were made with is only known with the page size; 4 KiB rows are all multiples of it."""
    sizes = [task.rss_bytes for task in report.tasks if task.rss_bytes]
    if not sizes:
        return None
    return next((size for size in (65536, 16384, 4096) if all(each % size == 0 for each in sizes)), None)


def _total_pages(report: Report, page_size: int | None) -> int | None:
    if page_size is None:
        return None
    memory, memcg = report.memory, report.memcg
    if report.scope is Scope.MEMCG:
        if memcg is None or memcg.limit_bytes is None:
            return None
        swap = memcg.swap_limit_bytes
        if swap is None and memcg.memsw_limit_bytes is not None:
            swap = max(memcg.memsw_limit_bytes - memcg.limit_bytes, 0)
        return total_pages(memcg.limit_bytes, swap or 0, page_size)
    if memory is None:
        return None
    ram, swap = usable_ram(memory), memory.get("swap_total_bytes")
    return total_pages(ram, swap or 0, page_size) if ram is not None else None


def _candidate(
    task: Task, badness: int | None, total: int | None, epoch: Epoch | None, killed: set[int | None]
) -> Candidate:
    held = held_by(task)
    adj = task.oom_score_adj
    own = (
        adj * (total // 1000)
        if adj is not None and total is not None and epoch not in (Epoch.A, Epoch.B, Epoch.B2)
        else None
    )
    size = held[0] if held is not None and held[1] == "bytes" else None
    return Candidate(task.pid, task.comm, size, adj, badness, own, task.pid in killed)


def _how(report: Report, candidates: Sequence[Candidate]) -> str:
    if report.trigger is Trigger.SYSRQ:
        return "by-hand"
    if report.outcome in (Outcome.PANIC, Outcome.NO_KILLABLE_PROCESS):
        return "nobody"
    victim = report.victims[0] if report.victims else None
    if victim is None:
        return "unknown"
    if report.oom_group is not None or any(one.why == "oom.group" for one in report.victims):
        return "group"
    if report.chosen is not None and report.chosen.pid != victim.pid:
        return "child"
    first = next((one for one in candidates if one.points is not None), None)
    if first is None:
        return "unknown"
    mine = next((one for one in candidates if one.pid == victim.pid), None)
    if mine is not None and mine.points == first.points:
        return "highest"
    if report.invoker is not None and report.invoker.pid == victim.pid:
        return "allocating-task"
    return "differs"


def _without_adj(
    report: Report, candidates: Sequence[Candidate], page_size: int | None, epoch: Epoch | None
) -> Candidate | None:
    """Who would have been chosen if nobody had an oom_score_adj; None where that is the same one."""
    if not candidates or page_size is None or epoch is None or all(task.oom_score_adj == 0 for task in report.tasks):
        return None
    plain = [
        (points(task._replace(oom_score_adj=0), None, page_size, epoch), task) for task in report.tasks if task.pid != 1
    ]
    known = [(badness, task) for badness, task in plain if badness is not None]
    if not known:
        return None
    badness, task = max(known, key=lambda each: each[0])
    if task.pid == candidates[0].pid:
        return None
    return _candidate(task, badness, None, epoch, {victim.pid for victim in report.victims})


def _spare_at(candidates: Sequence[Candidate], total: int | None, killed: set[int | None]) -> int | None:
    """The highest oom_score_adj with which the victim's badness falls below that of the next one."""
    if len(candidates) < 2 or total is None or total < 1000:
        return None
    first, second = (
        candidates[0],
        next((one for one in candidates if one.pid not in killed and one.points is not None), None),
    )
    if (
        first.pid not in killed
        or first.points is None
        or first.oom_score_adj is None
        or second is None
        or second.points is None
    ):
        return None
    step = total // 1000
    adj = first.oom_score_adj - ((first.points - second.points) // step + 1)
    return adj if adj > UNKILLABLE else None
