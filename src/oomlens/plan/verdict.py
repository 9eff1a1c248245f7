"""Did it help? Counters and kills since a plan was applied -> a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oomlens.model.plan import Plan, Watch
from oomlens.model.report import CgroupNames, Report, Scope
from oomlens.model.snapshot import CgroupUsage

DAY_SECONDS = 86400.0


class Verdict(StrEnum):
    """moved: the target is quiet, but something else was killed. unknown: too early, not in place, or nothing to see it by."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    MOVED = "moved-elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Counts:
    """Kills that counters tell of. boot_id: counters begin anew with each boot. cgroups: `oom_kill` by path."""

    boot_id: str | None = None
    oom_kills: int | None = None
    cgroups: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """why: kebab-case reason. kills_here, kills_elsewhere: None where nothing tells. wait_seconds: how much longer to wait."""

    verdict: Verdict
    why: str
    kills_here: int | None = None
    kills_elsewhere: int | None = None
    elapsed_seconds: float | None = None
    wait_seconds: float | None = None


def judge(
    plan: Plan,
    *,
    in_place: bool | None,
    before: Counts,
    now: Counts,
    kills: Sequence[Report] | None,
    elapsed_seconds: float | None,
    quiet_seconds: float | None = None,
) -> Judgement:
    """kills: reports of the logs since then, None where no log could be read. quiet_seconds: how long without a kill is long enough."""
    here, elsewhere = _counted(plan.watch, before, now)
    if kills is not None:
        hits = sum(concerns(plan.watch, report) for report in kills)
        here, elsewhere = max(here or 0, hits), max(elsewhere or 0, len(kills) - hits)
    quiet = quiet_seconds if quiet_seconds is not None else float(plan.watch.quiet_seconds or DAY_SECONDS)
    wait = None if elapsed_seconds is None else max(0.0, quiet - elapsed_seconds)

    def answer(verdict: Verdict, why: str) -> Judgement:
        return Judgement(verdict, why, here, elsewhere, elapsed_seconds, wait)

    if here:
        return answer(Verdict.NOT_FIXED, "killed-again")
    if in_place is False:
        return answer(Verdict.UNKNOWN, "not-in-place")
    if elsewhere:
        return answer(Verdict.MOVED, "others-were-killed")
    if here is None:
        return answer(Verdict.UNKNOWN, "nothing-counts")
    if wait is None or wait > 0:
        return answer(Verdict.UNKNOWN, "too-early")
    return answer(Verdict.FIXED, "quiet")


def _counted(watch: Watch, before: Counts, now: Counts) -> tuple[int | None, int | None]:
    """Kills of the target, and others, by counters of one boot."""
    if before.boot_id is None or now.boot_id is None:
        return None, None  # counters of another boot may not be compared
    same_boot = before.boot_id == now.boot_id
    total = _more(before.oom_kills, now.oom_kills) if same_boot else now.oom_kills
    if total is None:
        return None, None
    if watch.machine:
        return total, 0
    known = [path for path in watch.cgroups if now.cgroups is not None and path in now.cgroups]
    if not known or now.cgroups is None:
        return (0, 0) if total == 0 else (None, None)
    old = before.cgroups if same_boot and before.cgroups is not None else {}
    # A cgroup that was made anew counts from 0.
    here = sum(
        now.cgroups[path] - old.get(path, 0) if now.cgroups[path] >= old.get(path, 0) else now.cgroups[path]
        for path in known
    )
    return here, max(0, total - here)


def _more(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else max(0, now - before)


def counts_of(cgroups: Sequence[CgroupUsage]) -> dict[str, int]:
    """`oom_kill` of each cgroup that has killed."""
    return {usage.path: count for usage in cgroups if (count := usage.events.get("oom_kill"))}


def concerns(watch: Watch, report: Report) -> bool:
    """Whether a kill is one of those that the plan was to prevent."""
    if watch.machine and report.scope is not Scope.MEMCG:
        return True
    if any(_inside(path, report) for path in watch.cgroups):
        return True
    names = [each for each in (report.oom_memcg_names, report.task_memcg_names) if each is not None]
    if any(_named(watch, each) for each in names):
        return True
    return any(victim.comm in watch.comms for victim in report.victims)


def _inside(path: str, report: Report) -> bool:
    found = (report.oom_memcg, report.task_memcg)
    return any(each is not None and (each == path or each.startswith(path.rstrip("/") + "/")) for each in found)


def _named(watch: Watch, names: CgroupNames) -> bool:
    if names.unit in watch.units or names.slice in watch.units:
        return True
    ids = [each for each in (names.container_id, names.container_name, names.pod_uid) if each]
    return any(
        each == wanted or (len(wanted) >= 12 and each.startswith(wanted)) for each in ids for wanted in watch.containers
    )
