"""Rows of `top`: order, choice, the tree, and kills that are counted before they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oomlens.model.report import CgroupNames, Kind, Origin, Outcome, Report, Victim
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot
from oomlens.predict import predict
from oomlens.predict.incidents import Incidents
from oomlens.predict.order import (
    CGROUP_SORTS,
    PROCESS_SORTS,
    first_closed,
    matching,
    ordered_cgroups,
    ordered_processes,
)
from oomlens.predict.view import View, view_of
from oomlens.predict.watch import CountedKills, Watch

MIB = 1 << 20


def process(
    pid: int, comm: str, rss: int | None, *, adj: int = 0, cgroup: str = "/", pss: int | None = None
) -> Process:
    return Process(
        pid=pid, comm=comm, state="S", ppid=1, threads=1, started_uptime_seconds=float(pid), rss_bytes=rss,
        swap_bytes=0, pgtables_bytes=0, oom_score_adj=adj, cgroup=cgroup, pss_bytes=pss, uid=1000,
        cmdline=(comm, f"--port={pid}"),
    )  # fmt: skip


def usage(
    path: str, current: int, limit: int | None = None, *, unit: str | None = None, above: int | None = None
) -> CgroupUsage:
    return CgroupUsage(
        path=path, version=2, names=CgroupNames(path=path, unit=unit), current_bytes=current, max_bytes=limit,
        unlimited=frozenset() if limit else frozenset({"memory"}), effective_max_bytes=limit or above,
        stat={"active_file": 0, "inactive_file": 0}, events={"oom_kill": 0},
    )  # fmt: skip


def snapshot() -> Snapshot:
    """A machine of 1000 MiB: a database in a unit of 200 MiB, a protected process, one that cannot be read."""
    host = HostMemory(
        page_size=4096, kernel_release="6.12.0",
        meminfo={"mem_total_bytes": 1000 * MIB, "mem_available_bytes": 400 * MIB, "swap_total_bytes": 0, "swap_free_bytes": 0},
    )  # fmt: skip
    return Snapshot(
        host,
        (
            usage("/", 600 * MIB),
            usage("/system.slice", 300 * MIB),
            usage("/system.slice/db.service", 190 * MIB, 200 * MIB, unit="db.service"),
            usage("/system.slice/db.service/worker", 50 * MIB, above=200 * MIB),
            usage("/system.slice/idle.service", 1 * MIB, unit="idle.service"),
            usage("/user.slice", 100 * MIB),
            usage("/user.slice/u", 100 * MIB),
        ),
        (
            process(1, "systemd", 9 * MIB),
            process(50, "postgres", 150 * MIB, cgroup="/system.slice/db.service", pss=80 * MIB),
            process(51, "worker", 40 * MIB, cgroup="/system.slice/db.service/worker", pss=39 * MIB),
            process(60, "browser", 300 * MIB, adj=200, cgroup="/user.slice/u"),
            process(61, "guarded", 350 * MIB, adj=-1000),
            process(62, "hidden", None),
        ),
    )


@pytest.fixture
def view() -> View:
    watch, seen = Watch(), snapshot()
    watch.add(100.0, seen, predict(seen))
    return view_of(100.0, seen, predict(seen), watch)


def pids(rows: object) -> list[int]:
    return [row.process.pid for row in rows]  # type: ignore[attr-defined]


def test_the_next_victims_are_marked_in_the_machine_and_in_cgroups(view: View) -> None:
    rows = {row.process.pid: row for row in view.processes}
    assert rows[60].next_in == (None,)  # 300 + 200 MiB of oom_score_adj
    assert rows[50].next_in == ("/system.slice/db.service",)
    assert rows[51].next_in == ()
    assert (rows[1].spared, rows[61].spared) == ("init", "oom-score-adj-minimum")


def test_the_distance_is_that_of_the_nearest_scope(view: View) -> None:
    rows = {row.process.pid: row for row in view.processes}
    assert (rows[51].left_bytes, rows[51].left_in) == (10 * MIB, "/system.slice/db.service")
    assert (rows[60].left_bytes, rows[60].left_in) == (400 * MIB, None)


def test_scopes_come_machine_first_then_the_most_urgent(view: View) -> None:
    assert [row.prediction.path for row in view.scopes] == [None, "/system.slice/db.service"]
    assert view.scopes[1].left_share == 0.05


def test_a_cgroup_without_a_process_is_no_scope() -> None:
    empty = replace(snapshot(), processes=())
    found = view_of(1.0, empty, predict(empty), Watch())
    assert [row.prediction.path for row in found.scopes] == [None]


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("badness", [60, 50, 51], [1, 61]),  # what is spared has no badness; the larger of them first is 61
        ("rss", [61, 60, 50, 51, 1], [62]),
        ("pss", [50, 51], []),
        ("left", [50, 51], []),
        ("pid", [1, 50, 51, 60, 61, 62], []),
        ("name", [60, 61, 62, 50, 1, 51], []),
    ],
)
def test_processes_are_sorted_and_unknown_ones_come_last(
    view: View, key: str, first: list[int], last: list[int]
) -> None:
    found = pids(ordered_processes(view.processes, key))
    assert found[: len(first)] == first
    assert sorted(found[len(found) - len(last) :]) == sorted(last)


def test_turning_the_order_round_leaves_unknown_ones_last(view: View) -> None:
    assert pids(ordered_processes(view.processes, "rss", reverse=True)) == [1, 51, 50, 60, 61, 62]


@pytest.mark.parametrize("key", PROCESS_SORTS)
def test_every_way_to_sort_keeps_every_row(view: View, key: str) -> None:
    for reverse in (False, True):
        assert sorted(pids(ordered_processes(view.processes, key, reverse=reverse))) == [1, 50, 51, 60, 61, 62]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("POST", [50]),
        ("db.service", [50, 51]),
        ("db.service worker", [51]),
        ("--port=60", [60]),
        ("alice", [1, 50, 51, 60, 61, 62]),
        ("61", [61]),
        ("nothing", []),
        ("  ", [1, 50, 51, 60, 61, 62]),
    ],
)
def test_a_filter_looks_at_names_commands_pids_users_and_units(view: View, text: str, found: list[int]) -> None:
    assert pids(matching(view.processes, text, {1000: "alice"})) == found


def paths(rows: object) -> list[str]:
    return [row.usage.path for row in rows]  # type: ignore[attr-defined]


def test_the_tree_is_open_where_limits_are(view: View) -> None:
    closed = first_closed(view.cgroups)
    assert closed == {"/system.slice/db.service", "/user.slice"}
    assert paths(ordered_cgroups(view.cgroups, "share", closed=closed)) == [
        "/", "/system.slice", "/system.slice/db.service", "/system.slice/idle.service", "/user.slice",
    ]  # fmt: skip


def test_branches_are_sorted_by_the_best_that_is_in_them(view: View) -> None:
    assert paths(ordered_cgroups(view.cgroups, "used"))[:3] == ["/", "/system.slice", "/system.slice/db.service"]
    assert paths(ordered_cgroups(view.cgroups, "used", reverse=True))[1:3] == [
        "/system.slice", "/system.slice/idle.service",
    ]  # fmt: skip
    assert paths(ordered_cgroups(view.cgroups, "name"))[-2:] == ["/user.slice", "/user.slice/u"]


@pytest.mark.parametrize("key", CGROUP_SORTS)
def test_a_parent_stands_before_its_children(view: View, key: str) -> None:
    for reverse in (False, True):
        found = paths(ordered_cgroups(view.cgroups, key, reverse=reverse))
        assert sorted(found) == sorted(paths(view.cgroups))
        for row in view.cgroups:
            if row.parent is not None:
                assert found.index(row.parent) < found.index(row.usage.path)


def test_a_filter_keeps_the_way_to_what_matches(view: View) -> None:
    closed = first_closed(view.cgroups)
    assert paths(ordered_cgroups(view.cgroups, "share", closed=closed, text="worker")) == [
        "/", "/system.slice", "/system.slice/db.service", "/system.slice/db.service/worker",
    ]  # fmt: skip
    assert paths(ordered_cgroups(view.cgroups, "share", text="nothing")) == []


def test_an_inherited_limit_is_told_from_an_own_one(view: View) -> None:
    rows = {row.usage.path: row for row in view.cgroups}
    assert (rows["/system.slice/db.service/worker"].inherited, rows["/system.slice/db.service"].inherited) == (
        True,
        False,
    )
    assert rows["/system.slice/db.service/worker"].share == 0.25


# Kills


def report(number: int, victims: int = 1) -> Report:
    return Report(
        id=f"id{number}", origin=Origin("kmsg", "plain", 1, 2, 0, 9), kind=Kind.KERNEL, killer="kernel", outcome=Outcome.KILLED,
        victims=tuple(Victim(number * 10 + each, "x") for each in range(victims)),
    )  # fmt: skip


def test_a_kill_that_is_told_is_not_counted_again() -> None:
    for told_first in (True, False):
        incidents = Incidents()
        if told_first:
            incidents.told(10.0, report(1), before=False)
        incidents.counted(11.0, [CountedKills("/a", 1)], patient=True)
        if not told_first:
            incidents.told(12.0, report(1), before=False)
        incidents.counted(30.0, [], patient=True)
        assert [kill.report is not None for kill in incidents.kills] == [True]
        assert incidents.seen == 1


def test_what_no_log_tells_of_is_listed_after_a_while() -> None:
    incidents = Incidents()
    incidents.counted(10.0, [CountedKills("/a", 2)], patient=True)
    incidents.told(11.0, report(1), before=False)
    assert len(incidents.kills) == 1
    incidents.counted(16.0, [], patient=True)
    (kill,) = [kill for kill in incidents.kills if kill.report is None]
    assert (kill.report, kill.path, kill.kills, kill.at) == (None, "/a", 1, 10.0)


def test_without_a_log_a_counted_kill_is_listed_at_once() -> None:
    incidents = Incidents()
    incidents.counted(10.0, [CountedKills(None, 1)], patient=False)
    assert incidents.latest is not None
    assert incidents.latest.path is None


def test_a_group_of_victims_is_one_kill_of_several() -> None:
    incidents = Incidents()
    incidents.told(10.0, report(1, victims=3), before=False)
    incidents.counted(10.5, [CountedKills("/a", 3)], patient=True)
    incidents.counted(30.0, [], patient=True)
    assert (len(incidents.kills), incidents.seen) == (1, 3)


def test_kills_of_the_past_are_known_but_not_new() -> None:
    incidents = Incidents()
    incidents.told(10.0, report(1), before=True)
    assert (incidents.latest, incidents.seen, len(incidents.reports)) == (None, 0, 1)


def test_the_same_kill_from_two_places_is_one_and_all_are_in_order() -> None:
    incidents = Incidents()
    incidents.told(50.0, report(2), before=True)
    incidents.told(10.0, report(1), before=True)
    incidents.told(50.0, report(2), before=True)
    assert [kill.at for kill in incidents.kills] == [10.0, 50.0]
