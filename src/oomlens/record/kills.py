"""Noticing kills: the kernel's reports as they come, and its counters where they do not come. Pure but for the ring buffer's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oomlens.model.history import CgroupKills, ProcessFigures
from oomlens.model.report import Kind, Outcome, Report
from oomlens.model.sampling import held_bytes, process_figures
from oomlens.model.snapshot import Process, Snapshot

# The counter rises before the report is written; a report that does not come in this time never comes.
GRACE_SECONDS = 3.0
_MOST_GONE = 5


class Accounts(NamedTuple):
    """How many kills are accounted for. counted: value of the kernel's counter up to which all are; None: not known yet.

    differs_since: monotonic time since when the counter and the reports do not agree.
    """

    counted: int | None = None
    differs_since: float | None = None


def killed_by(reports: Iterable[Report]) -> int:
    """Processes that the kernel says it killed; its counter counts each of them."""
    kernel = (one for one in reports if one.kind is Kind.KERNEL and one.outcome is Outcome.KILLED)
    return sum(max(1, len(one.victims)) * max(1, one.repeats) for one in kernel)


def account(
    accounts: Accounts, oom_kills: int | None, reported: int, monotonic_seconds: float, *, grace_seconds: float
) -> tuple[Accounts, int]:
    """What the counter shows beyond the reports, once these have had their time; and what is to be remembered.

    oom_kills: the counter now, None where the kernel has none. reported: kills by reports since the last call.
    """
    if oom_kills is None:
        return accounts, 0
    if accounts.counted is None:
        return Accounts(oom_kills), 0
    counted = accounts.counted + reported
    if counted == oom_kills:
        return Accounts(counted), 0
    since = accounts.differs_since if accounts.differs_since is not None and not reported else monotonic_seconds
    if monotonic_seconds - since < grace_seconds:
        return Accounts(counted, since), 0
    return Accounts(oom_kills), max(0, oom_kills - counted)


def cgroups_with_kills(before: Snapshot | None, after: Snapshot) -> tuple[CgroupKills, ...]:
    """The cgroups whose own counters grew between two snapshots; in version 2 their ancestors too."""
    if before is None:
        return ()
    earlier = {usage.path: usage.events.get("oom_kill") for usage in before.cgroups}
    found: list[CgroupKills] = []
    for usage in after.cgroups:
        now, was = usage.events.get("oom_kill"), earlier.get(usage.path)
        if now is not None and was is not None and now > was:
            found.append(CgroupKills(usage.path, now - was))
    return tuple(found)


def gone_between(
    before: Snapshot | None, after: Snapshot, cgroups: Sequence[CgroupKills]
) -> tuple[ProcessFigures, ...]:
    """The largest processes that are not there any more, of the cgroups where something was killed if these are known."""
    if before is None:
        return ()
    left = {(each.pid, each.started_uptime_seconds) for each in after.processes if each.state not in ("Z", "X")}
    paths = [row.path.rstrip("/") for row in cgroups]
    missing = [
        each
        for each in before.processes
        if (each.pid, each.started_uptime_seconds) not in left
        and not each.kernel_thread
        and held_bytes(each)
        and (not paths or _inside(each, paths))
    ]
    missing.sort(key=held_bytes, reverse=True)
    return tuple(process_figures(each) for each in missing[:_MOST_GONE])


def _inside(process: Process, paths: Sequence[str]) -> bool:
    cgroup = process.cgroup
    return cgroup is not None and any(cgroup == path or cgroup.startswith(path + "/") for path in paths)


def snapshot_before(report: Report, snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The latest of the snapshots (oldest first) in which the victim still held memory; else the oldest."""
    pids = {victim.pid for victim in report.victims}
    for snapshot in reversed(snapshots):
        if any(each.pid in pids and held_bytes(each) for each in snapshot.processes):
            return snapshot
    return snapshots[0] if snapshots else None
