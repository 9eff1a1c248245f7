"""Did a change help: from counters and kills since."""

from __future__ import annotations

import pytest

from oomlens.model.plan import Plan, Text, Watch
from oomlens.model.report import CgroupNames, Kind, Origin, Report, Scope, Victim
from oomlens.plan.verdict import Counts, Judgement, Verdict, judge

PLAN = Plan("limit unit", "raise-unit-limit", "a.service", Text("x"), (), watch=Watch(cgroups=("/s/a.service",), units=("a.service",)))  # fmt: skip
BEFORE = Counts("boot", 5, {"/s/a.service": 2, "/s/b.service": 3})
HOUR = 3600.0


def judged(now: Counts, *, in_place: bool | None = True, kills: list[Report] | None = None, hours: float = 30) -> Judgement:  # fmt: skip
    return judge(PLAN, in_place=in_place, before=BEFORE, now=now, kills=kills, elapsed_seconds=hours * HOUR)


def kill(path: str, comm: str = "x", unit: str | None = None) -> Report:
    names = CgroupNames(path, unit=unit)
    return Report("id", Kind.KERNEL, Origin("s", "dmesg", 1, 1, 0, 1), "kernel", scope=Scope.MEMCG, task_memcg=path, task_memcg_names=names, victims=(Victim(pid=1, comm=comm),))  # fmt: skip


@pytest.mark.parametrize(
    ("now", "verdict", "why"),
    [
        (Counts("boot", 5, BEFORE.cgroups), Verdict.FIXED, "quiet"),
        (Counts("boot", 6, {"/s/a.service": 3, "/s/b.service": 3}), Verdict.NOT_FIXED, "killed-again"),
        (Counts("boot", 6, {"/s/a.service": 2, "/s/b.service": 4}), Verdict.MOVED, "others-were-killed"),
        (Counts("other", 1, {"/s/a.service": 1}), Verdict.NOT_FIXED, "killed-again"),
        (Counts("boot", None, {}), Verdict.UNKNOWN, "nothing-counts"),
        # The cgroup was made anew and has killed once since.
        (Counts("boot", 6, {"/s/a.service": 1}), Verdict.NOT_FIXED, "killed-again"),
    ],
)
def test_counters_decide(now: Counts, verdict: Verdict, why: str) -> None:
    found = judged(now)
    assert (found.verdict, found.why) == (verdict, why)


def test_it_is_too_early_before_a_day_has_passed() -> None:
    found = judged(Counts("boot", 5, BEFORE.cgroups), hours=20)
    assert (found.verdict, found.why, found.wait_seconds) == (Verdict.UNKNOWN, "too-early", 4 * HOUR)


def test_what_is_not_in_place_says_nothing() -> None:
    assert judged(Counts("boot", 5, BEFORE.cgroups), in_place=False).why == "not-in-place"


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (kill("/s/a.service/worker"), Verdict.NOT_FIXED),
        (kill("/s/other", unit="a.service"), Verdict.NOT_FIXED),
        (kill("/s/a.serviceX"), Verdict.MOVED),
    ],
)
def test_kills_of_the_logs_decide_where_no_counter_does(report: Report, verdict: Verdict) -> None:
    assert judged(Counts(None, None, None), kills=[report]).verdict is verdict
