"""Kills that only counters show, and which snapshot was before a kill."""

from __future__ import annotations

from dataclasses import replace

from oomlens.kernel.cgroup_names import names_of
from oomlens.model.history import CgroupKills
from oomlens.model.report import Kind, Outcome, Report, Victim
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot
from oomlens.record.kills import (
    Accounts,
    account,
    cgroups_with_kills,
    gone_between,
    killed_by,
    snapshot_before,
)
from support.cases import FOLDER, read_case
from support.decode import kernel_reports
from support.history import MIB

HOST = HostMemory(4096)


def task(pid: int, rss: int, *, cgroup: str = "/", started: float = 1.0, state: str = "S") -> Process:
    return Process(pid, f"p{pid}", state, 1, 1, started, rss_bytes=rss, cgroup=cgroup)


def usage(path: str, kills: int | None) -> CgroupUsage:
    return CgroupUsage(path, 2, names_of(path), events={} if kills is None else {"oom_kill": kills})


def test_a_counter_without_a_report_is_a_kill_after_a_moment() -> None:
    accounts, missing = account(Accounts(), 4, 0, 10.0, grace_seconds=3.0)
    assert (accounts.counted, missing) == (4, 0)  # those before we came are not ours
    accounts, missing = account(accounts, 6, 0, 11.0, grace_seconds=3.0)
    assert missing == 0
    accounts, missing = account(accounts, 6, 1, 12.0, grace_seconds=3.0)  # the report of one of the two
    assert missing == 0
    accounts, missing = account(accounts, 6, 0, 15.0, grace_seconds=3.0)
    assert (accounts, missing) == (Accounts(6), 1)
    assert account(accounts, 6, 0, 99.0, grace_seconds=3.0)[1] == 0


def test_a_report_may_come_before_its_counter_is_read() -> None:
    accounts, missing = account(Accounts(4), 4, 1, 10.0, grace_seconds=3.0)
    assert missing == 0
    assert account(accounts, 5, 0, 11.0, grace_seconds=3.0) == (Accounts(5), 0)
    # A counter that never comes is believed in the end; nothing is invented.
    assert account(accounts, 4, 0, 14.0, grace_seconds=3.0) == (Accounts(4), 0)


def test_where_no_report_can_come_the_counter_counts_at_once() -> None:
    assert account(Accounts(4), 7, 0, 10.0, grace_seconds=0.0) == (Accounts(7), 3)
    assert account(Accounts(4), None, 0, 10.0, grace_seconds=0.0) == (Accounts(4), 0)


def test_every_victim_of_a_group_is_a_kill() -> None:
    (report,) = kernel_reports(read_case(FOLDER / "lab-memcg2-oom-group-7.3.case").log)
    assert killed_by([report]) == len(report.victims) > 1
    assert killed_by([replace(report, kind=Kind.USERSPACE), replace(report, outcome=Outcome.PANIC)]) == 0


def test_the_cgroups_and_the_missing_processes_of_a_counted_kill() -> None:
    before = Snapshot(
        HOST,
        (usage("/", 1), usage("/app", 1), usage("/app/x", 1), usage("/old", None)),
        (
            task(1, 9 * MIB),
            task(7, 50 * MIB, cgroup="/app/x"),
            task(8, 60 * MIB, cgroup="/other"),
            task(9, 5, cgroup="/app/x"),
        ),
    )
    after = Snapshot(
        HOST,
        (usage("/", 2), usage("/app", 2), usage("/app/x", 2), usage("/old", 3), usage("/new", 1)),
        (task(1, 9 * MIB), task(7, 1, cgroup="/app/x", started=5.0), task(9, 0, cgroup="/app/x", state="Z")),
    )
    kills = cgroups_with_kills(before, after)
    assert kills == (CgroupKills("/", 1), CgroupKills("/app", 1), CgroupKills("/app/x", 1))
    # By start time: 7 is another process now; 9 has ended and waits to be reaped; 8 was elsewhere.
    assert [row.pid for row in gone_between(before, after, kills[1:])] == [7, 9]
    assert [row.pid for row in gone_between(before, after, ())] == [8, 7, 9]
    assert cgroups_with_kills(None, after) == ()
    assert gone_between(None, after, ()) == ()


def test_the_snapshot_before_is_the_last_in_which_the_victim_held_memory() -> None:
    (told,) = kernel_reports(read_case(FOLDER / "lab-memcg2-swap-6.12.case").log)
    report: Report = replace(told, victims=(Victim(7, "p7"),))
    early, late = Snapshot(HOST, (), (task(7, 5 * MIB),), 1.0), Snapshot(HOST, (), (task(7, 0, state="Z"),), 2.0)
    assert snapshot_before(report, [early, late]) is early
    assert snapshot_before(report, [early, replace(early, time_seconds=2.0)]) is not early
    assert snapshot_before(report, [late]) is late
    assert snapshot_before(report, []) is None
