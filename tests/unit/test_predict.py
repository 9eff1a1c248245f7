"""Whom the kernel would kill next, on small machines whose numbers a person added up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oomlens.kernel.cgroup_names import names_of
from oomlens.kernel.counter_drift import drift_pages
from oomlens.model.prediction import Fate, ScopePrediction, prediction_to_dict
from oomlens.model.report import Gap, Node, Scope, Share, Zone
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot, Swap, Zram
from oomlens.predict import WhatIfError, apply_changes, parse_change, predict
from oomlens.predict.nodes import numbers_of

GIB = 1 << 30
MIB = 1 << 20


def host(**changes: Any) -> HostMemory:
    meminfo = {
        "mem_total_bytes": 4 * GIB,
        "mem_available_bytes": 1 * GIB,
        "mem_free_bytes": GIB // 2,
        "swap_total_bytes": 2 * GIB,
        "swap_free_bytes": 1 * GIB,
    }
    base = HostMemory(
        page_size=4096, kernel_release="6.1.0", cpus=2, initial_pid_namespace=True, meminfo=meminfo,
        settings={"swappiness": 60},
    )  # fmt: skip
    return replace(base, **changes)


def process(pid: int, rss: int, adj: int | None = 0, **changes: Any) -> Process:
    base = Process(
        pid=pid, comm=f"p{pid}", state="S", ppid=1, threads=1, started_uptime_seconds=float(pid), uid=0,
        rss_bytes=rss, swap_bytes=0, pgtables_bytes=0, oom_score_adj=adj, cgroup="/",
    )  # fmt: skip
    return replace(base, **changes)


def usage(path: str, limit: int | None, current: int = 0, **changes: Any) -> CgroupUsage:
    base = CgroupUsage(path=path, version=2, names=names_of(path), max_bytes=limit, current_bytes=current)
    return replace(base, **changes)


def machine(*processes: Process, **changes: Any) -> Snapshot:
    return Snapshot(host=host(**changes), processes=processes)


def first_scope(snapshot: Snapshot) -> ScopePrediction:
    return predict(snapshot)[0]


def order(scope: ScopePrediction) -> list[int]:
    return [candidate.pid for candidate in scope.candidates]


def kinds(scope: ScopePrediction) -> list[str]:
    return [warn.kind for warn in scope.warnings]


def test_resident_swapped_and_page_tables_count() -> None:
    scope = first_scope(
        machine(
            process(10, 100 * MIB),
            process(11, 60 * MIB, swap_bytes=50 * MIB),
            process(12, 90 * MIB, pgtables_bytes=30 * MIB),
        )
    )
    assert order(scope) == [12, 11, 10]
    assert [candidate.points_bytes for candidate in scope.candidates] == [120 * MIB, 110 * MIB, 100 * MIB]
    assert [candidate.behind_bytes for candidate in scope.candidates] == [0, 10 * MIB, 20 * MIB]
    assert scope.margin_bytes == 10 * MIB
    assert scope.certain is True
    assert scope.candidates[0].why == "rss 23040 + swap 0 + pgtables 7680 = 30720 pages"


def test_an_adj_is_thousandths_of_ram_and_swap() -> None:
    # 6 GiB are 1572864 pages; a thousandth, rounded down, is 1572.
    scope = first_scope(machine(process(10, GIB), process(11, 4 * MIB, adj=200), process(12, 2 * GIB, adj=-500)))
    assert order(scope) == [11, 10, 12]
    assert [candidate.points_bytes for candidate in scope.candidates] == [
        (1024 + 200 * 1572) * 4096,
        GIB,
        (524288 - 500 * 1572) * 4096,
    ]
    assert [candidate.score for candidate in scope.candidates] == [200, 166, -166]
    assert scope.total_bytes == 6 * GIB
    assert scope.candidates[0].why == "rss 1024 + swap 0 + pgtables 0 + oom_score_adj 200 * 1572 = 315424 pages"


def test_init_kernel_threads_the_unkillable_and_the_dead_are_no_candidates() -> None:
    scope = first_scope(
        machine(
            process(1, GIB),
            process(2, 0, None, kernel_thread=True, rss_bytes=None),
            process(3, GIB, adj=-1000),
            process(4, 0, state="Z"),
            process(5, MIB),
        )
    )
    assert order(scope) == [5]
    assert [(spared.pid, spared.why) for spared in scope.spared] == [(1, "init"), (3, "oom-score-adj-minimum")]
    assert scope.certain is True


def test_pid_1_of_a_container_may_be_killed_and_others_are_not_seen() -> None:
    scope = first_scope(machine(process(1, GIB), process(5, MIB), initial_pid_namespace=False))
    assert order(scope) == [1, 5]
    assert Gap("candidates", "other-namespaces-not-seen") in scope.gaps


def test_the_last_created_of_equals_goes_first_from_5_3_on() -> None:
    equals = (process(10, MIB), process(11, MIB), process(12, MIB))
    assert order(first_scope(machine(*equals))) == [12, 11, 10]
    assert order(first_scope(machine(*equals, kernel_release="4.19.0"))) == [10, 11, 12]


def test_a_size_that_could_not_be_read_is_a_gap_and_stands_last() -> None:
    scope = first_scope(machine(process(10, MIB), process(11, 0, rss_bytes=None)))
    assert order(scope) == [10, 11]
    assert scope.candidates[1].points_bytes is None
    assert scope.candidates[1].score is None
    assert scope.certain is None
    assert Gap("candidates: 1 of 2", "sizes-unreadable") in scope.gaps


@pytest.mark.parametrize(
    ("release", "cpus", "pages"),
    [("6.1.0", 64, 0), ("6.18.44", 2, 4 * 31 * 2), ("6.18.44", 64, 4 * 127 * 64), ("7.2.0", 64, 0), (None, 2, None), ("6.18.0", None, None)],
)  # fmt: skip
def test_what_proc_may_be_off_by(release: str | None, cpus: int | None, pages: int | None) -> None:
    assert drift_pages(release, cpus) == pages


def test_a_margin_within_the_counters_error_is_not_certain() -> None:
    # 6.18 on two processors: 248 pages each way, 496 pages are 1984 KiB.
    close = machine(process(10, 10 * MIB), process(11, 10 * MIB + 1984 * 1024), kernel_release="6.18.1")
    assert first_scope(close).certain is False
    assert kinds(first_scope(close)) == ["close"]
    apart = machine(process(10, 10 * MIB), process(11, 10 * MIB + 1988 * 1024), kernel_release="6.18.1")
    assert first_scope(apart).certain is True


def test_the_size_of_stat_is_compared_where_status_sums_exactly() -> None:
    # Status says that 10 is larger, stat, which badness reads too, that 11 is; 10 MiB are 2560 pages.
    both = (process(10, 11 * MIB, stat_rss_pages=2560), process(11, 10 * MIB, stat_rss_pages=2570))
    middle = first_scope(machine(*both, kernel_release="6.18.1"))
    assert order(middle) == [11, 10]
    assert middle.margin_bytes == 10 * 4096
    # What is left is the counter of swap entries, 62 pages each on two processors.
    assert middle.certain is False
    assert middle.candidates[0].why == "rss 2570 + swap 0 + pgtables 0 = 2570 pages"
    assert order(first_scope(machine(*both, kernel_release="6.1.0"))) == [10, 11]
    assert order(first_scope(machine(*both, kernel_release="7.2.0"))) == [10, 11]


def test_without_swap_the_sizes_of_stat_are_certain() -> None:
    meminfo = {"mem_total_bytes": 4 * GIB, "mem_available_bytes": GIB, "swap_total_bytes": 0, "swap_free_bytes": 0}
    both = (process(10, 10 * MIB, stat_rss_pages=2560), process(11, 10 * MIB, stat_rss_pages=2561))
    assert first_scope(machine(*both, kernel_release="6.18.1", meminfo=meminfo)).certain is True


def test_the_machines_distance_is_what_is_available_and_the_free_swap() -> None:
    scope = first_scope(machine(process(10, MIB)))
    assert scope.distance_bytes == 2 * GIB
    assert scope.distance_parts == (Share("available", GIB), Share("swap_free", GIB))
    assert (scope.limit_bytes, scope.usage_bytes) == (4 * GIB, 3 * GIB)


def test_swap_on_zram_counts_as_far_as_it_compresses() -> None:
    swaps = (Swap("/dev/zram0", "partition", 2 * GIB, GIB, 100),)
    zrams = (Zram("zram0", 2 * GIB, GIB, 0, GIB // 4, 0),)
    assert first_scope(machine(swaps=swaps, zrams=zrams)).distance_bytes == GIB + GIB * 3 // 4
    fresh = first_scope(machine(swaps=swaps, zrams=(Zram("zram0", 2 * GIB, 0, 0, 0, 0),)))
    assert fresh.distance_bytes == GIB
    assert Gap("distance_bytes", "zram-ratio-unknown") in fresh.gaps


def test_an_unknown_distance_stays_unknown() -> None:
    scope = first_scope(machine(process(10, MIB), meminfo={"mem_total_bytes": GIB, "swap_total_bytes": 0}))
    assert scope.distance_bytes is None
    assert scope.usage_bytes is None
    assert order(scope) == [10]


def with_cgroups(*cgroups: CgroupUsage, processes: tuple[Process, ...] = (), **changes: Any) -> Snapshot:
    return replace(machine(*processes, **changes), cgroups=cgroups)


def test_every_cgroup_with_a_limit_is_a_scope_of_its_whole_subtree() -> None:
    scopes = predict(
        with_cgroups(
            usage("/", None), usage("/a", GIB, 900 * MIB), usage("/a/b", 64 * MIB, 60 * MIB), usage("/ab", GIB, MIB),
            processes=(
                process(10, MIB, cgroup="/a"), process(11, 2 * MIB, cgroup="/a/b"), process(12, 3 * MIB, cgroup="/ab"),
                process(13, 4 * MIB, cgroup="/a/b/c (deleted)"), process(14, 5 * MIB, cgroup=None), process(15, 6 * MIB, cgroup="/../x"),
            ),
        )
    )  # fmt: skip
    # The machine, then by what is left: each may still use 1 GiB of swap.
    assert [(scope.scope, scope.path) for scope in scopes] == [
        (Scope.GLOBAL, None), (Scope.MEMCG, "/a/b"), (Scope.MEMCG, "/a"), (Scope.MEMCG, "/ab"),
    ]  # fmt: skip
    assert [order(scope) for scope in scopes[1:]] == [[13, 11], [13, 11, 10], [12]]
    assert len(order(scopes[0])) == 6


def test_the_total_of_a_cgroup_is_its_limit_and_the_swap_that_goes_with_it() -> None:
    def total(cgroup: CgroupUsage, **changes: Any) -> int | None:
        return predict(with_cgroups(cgroup, **changes))[1].total_bytes

    assert total(usage("/a", GIB)) == 3 * GIB
    assert total(usage("/a", GIB, swap_max_bytes=MIB)) == GIB + MIB
    assert total(usage("/a", GIB), settings={"swappiness": 0}) == GIB
    v1 = usage("/a", GIB, version=1, swappiness=60, memsw_max_bytes=GIB + 5 * MIB)
    assert total(v1) == GIB + 5 * MIB
    assert total(replace(v1, swappiness=0)) == GIB
    assert total(replace(v1, memsw_max_bytes=None)) == 3 * GIB


def test_a_cgroups_distance_counts_what_reclaim_can_drop_and_its_swap() -> None:
    stat = {"active_file": 2 * MIB, "inactive_file": 3 * MIB, "slab_reclaimable": MIB, "anon": 50 * MIB}
    cgroup = usage("/a", 100 * MIB, 90 * MIB, stat=stat, swap_max_bytes=20 * MIB, swap_current_bytes=5 * MIB)
    scope = predict(with_cgroups(cgroup))[1]
    assert scope.distance_bytes == (10 + 5 + 1 + 15) * MIB
    assert {part.name: part.bytes for part in scope.distance_parts} == {
        "room": 10 * MIB, "file_cache": 5 * MIB, "slab_reclaimable": MIB, "swap_free": 15 * MIB,
    }  # fmt: skip


def test_version_1_with_memory_and_swap_limited_together_cannot_swap_itself_free() -> None:
    stat = {"active_file": 9 * MIB, "total_active_file": 2 * MIB, "total_inactive_file": 0}
    cgroup = usage(
        "/a", 100 * MIB, 90 * MIB, version=1, stat=stat, memsw_max_bytes=100 * MIB, memsw_current_bytes=90 * MIB
    )
    assert predict(with_cgroups(cgroup))[1].distance_bytes == 12 * MIB


def test_a_group_is_killed_whole_from_the_highest_that_says_so() -> None:
    snapshot = with_cgroups(
        usage("/", None, oom_group=True), usage("/a", GIB), usage("/a/b", None, oom_group=True), usage("/a/b/c", None, oom_group=True),
        processes=(
            process(10, 9 * MIB, cgroup="/a/b/c"), process(11, MIB, cgroup="/a/b"), process(12, MIB, adj=-1000, cgroup="/a/b"),
            process(13, MIB, cgroup="/a"),
        ),
    )  # fmt: skip
    for scope in predict(snapshot):
        assert (scope.group, scope.group_processes) == ("/a/b", 2)
        assert "group" in kinds(scope)


def test_a_group_outside_of_the_scope_does_not_count() -> None:
    snapshot = with_cgroups(
        usage("/a", None, oom_group=True), usage("/a/b", GIB), processes=(process(10, MIB, cgroup="/a/b"),)
    )
    whole, inner = predict(snapshot)
    assert whole.group == "/a"
    assert inner.group is None


@pytest.mark.parametrize(
    ("settings", "fate"),
    [
        ({"panic_on_oom": 1}, Fate.PANIC),
        ({"panic_on_oom": 2}, Fate.PANIC),
        ({"oom_kill_allocating_task": 1}, Fate.INVOKER),
        ({}, Fate.KILL),
    ],
)
def test_settings_change_what_happens_to_the_machine(settings: dict[str, int], fate: Fate) -> None:
    scope = first_scope(machine(process(10, MIB), settings=settings))
    assert scope.fate is fate
    assert kinds(scope) == ([] if fate is Fate.KILL else [f"fate-{fate.value}"])


def test_settings_change_what_happens_to_a_cgroup() -> None:
    def fate(settings: dict[str, int], **changes: Any) -> Fate:
        here = (process(10, MIB, cgroup="/a"),)
        return predict(with_cgroups(usage("/a", GIB, **changes), processes=here, settings=settings))[1].fate

    assert fate({"panic_on_oom": 1, "oom_kill_allocating_task": 1}) is Fate.KILL
    assert fate({"panic_on_oom": 2}) is Fate.PANIC
    assert fate({}, version=1, oom_kill_disabled=True) is Fate.WAIT
    assert predict(with_cgroups(usage("/a", GIB)))[1].fate is Fate.NOBODY


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"comm": "sshd"}, "remote-access"),
        ({"comm": "dbus-daemon"}, "message-bus"),
        ({"comm": "systemd-journal"}, "service-manager"),
        ({"comm": "postgres"}, "database"),
        ({"comm": "java", "namespace_pid": 1}, "container-init"),
    ],
)
def test_a_critical_victim_is_told(changes: dict[str, Any], role: str) -> None:
    scope = first_scope(machine(process(10, 9 * MIB, **changes), process(11, MIB)))
    assert [dict(warn.values) for warn in scope.warnings if warn.kind == "critical"] == [
        {"pid": 10, "comm": scope.candidates[0].comm, "role": role}
    ]


def test_the_service_of_a_victim_is_told_but_not_that_of_a_container() -> None:
    def services(path: str) -> list[object]:
        snapshot = with_cgroups(usage(path, None), processes=(process(10, MIB, cgroup=path),))
        return [warn.values["unit"] for warn in first_scope(snapshot).warnings if warn.kind == "service"]

    assert services("/system.slice/nginx.service") == ["nginx.service"]
    assert services("/system.slice/docker-" + "ab" * 32 + ".scope") == []
    assert services("/user.slice/user-1000.slice/session-2.scope") == []


def test_an_innocent_that_dies_for_a_protected_process_is_told() -> None:
    leaker, small = process(10, 3 * GIB, adj=-1000), process(11, 9 * MIB)
    (warn,) = first_scope(machine(leaker, small)).warnings
    assert warn.kind == "innocent"
    assert (warn.values["pid"], warn.values["protected_pid"], warn.values["protected_bytes"]) == (11, 10, 3 * GIB)
    lowered = replace(leaker, oom_score_adj=-900)
    assert kinds(first_scope(machine(lowered, small))) == ["innocent"]
    assert kinds(first_scope(machine(replace(leaker, oom_score_adj=-1), small))) == []
    assert kinds(first_scope(machine(replace(leaker, rss_bytes=MIB), small))) == []


@pytest.mark.parametrize(
    ("release", "child"),
    [("4.19.0", 12), ("3.10.0-1160.el7.x86_64", 12), ("4.18.0-240.el8.x86_64", None), ("5.4.0", None)],
)
def test_up_to_5_0_the_largest_child_dies_for_its_parent(release: str, child: int | None) -> None:
    family = (
        process(10, 9 * MIB), process(11, MIB, ppid=10), process(12, 2 * MIB, ppid=10, comm="sshd"), process(13, 3 * MIB, ppid=11),
        process(14, MIB, adj=-1000, ppid=10),
    )  # fmt: skip
    scope = first_scope(machine(*family, kernel_release=release))
    assert (order(scope)[0], scope.child_pid) == (10, child)
    # What is told is about the one that dies.
    assert kinds(scope) == (["child", "critical"] if child else [])


def changed(snapshot: Snapshot, *texts: str) -> Snapshot:
    return apply_changes(snapshot, [parse_change(text) for text in texts])


def test_what_if_a_process_grows() -> None:
    snapshot = with_cgroups(
        usage("/", None), usage("/a", 100 * MIB, 20 * MIB), usage("/ab", 100 * MIB, 20 * MIB),
        processes=(process(10, 9 * MIB, cgroup="/a/b", oom_score=667), process(11, 99 * MIB)),
    )  # fmt: skip
    after = changed(snapshot, "10=+1.5G")
    assert order(first_scope(after))[0] == 10
    assert first_scope(after).candidates[0].rss_bytes == 9 * MIB + 3 * GIB // 2
    assert first_scope(after).candidates[0].oom_score is None
    assert first_scope(after).distance_bytes == GIB // 2
    by_path = {scope.path: scope for scope in predict(after)}
    assert by_path["/a"].distance_bytes == GIB + 80 * MIB - 3 * GIB // 2
    assert by_path["/ab"].distance_bytes == GIB + 80 * MIB
    assert first_scope(changed(snapshot, "11=1M")).candidates[0].pid == 10
    assert first_scope(changed(snapshot, "pid:11=-98M")).candidates[0].pid == 10


def test_what_if_a_score_is_set() -> None:
    snapshot = machine(process(10, 9 * MIB), process(11, MIB))
    assert order(first_scope(changed(snapshot, "adj:10=-500"))) == [11, 10]
    assert order(first_scope(changed(snapshot, "adj:10=-1000"))) == [11]


def test_what_if_a_limit_is_set() -> None:
    path = "/system.slice/nginx.service"
    snapshot = with_cgroups(usage("/system.slice", None), usage(path, None, 20 * MIB), usage(path + "/inner", None))
    assert len(predict(snapshot)) == 1
    for name in (path, "nginx.service"):
        (_, scope) = predict(changed(snapshot, f"limit:{name}=1G"))
        assert (scope.path, scope.limit_bytes) == (path, GIB)
    assert len(predict(changed(snapshot, f"limit:{path}=1G", f"limit:{path}=max"))) == 1
    assert predict(changed(snapshot, f"limit:{path}=1G", f"limit:{path}=+1G"))[1].limit_bytes == 2 * GIB


def test_a_limit_above_that_of_memory_and_swap_raises_both() -> None:
    v1 = usage("/a", MIB, version=1, memsw_max_bytes=2 * MIB)
    (after,) = changed(with_cgroups(v1), "limit:/a=5M").cgroups
    assert (after.max_bytes, after.memsw_max_bytes) == (5 * MIB, 5 * MIB)


def test_what_if_there_is_more_swap() -> None:
    snapshot = machine(process(10, MIB))
    assert first_scope(changed(snapshot, "swap=4G")).distance_bytes == 4 * GIB
    assert first_scope(changed(snapshot, "swap=+4G")).distance_bytes == 6 * GIB
    assert first_scope(changed(snapshot, "swap=+4G")).total_bytes == 10 * GIB


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "syntax"), ("x=1", "syntax"), ("10", "syntax"), ("adj:x=1", "syntax"), ("10=much", "size"), ("10=1X", "size"),
        ("adj:10=2000", "adj"), ("adj:10=1G", "adj"), ("77=1G", "no-pid"), ("adj:77=0", "no-pid"), ("limit:/no=1G", "no-cgroup"),
        ("limit:twice.service=1G", "several-cgroups"), ("12=+1G", "no-sizes"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_told(text: str, code: str) -> None:
    snapshot = with_cgroups(
        usage("/a/twice.service", None), usage("/b/twice.service", None), processes=(process(12, 0, rss_bytes=None),)
    )
    with pytest.raises(WhatIfError) as caught:
        changed(snapshot, text)
    assert caught.value.code == code


def test_json_has_the_contracts_keys() -> None:
    entry = prediction_to_dict(first_scope(machine(process(10, MIB), process(11, MIB))), 1)
    assert {"scope", "path", "limit_bytes", "usage_bytes", "candidates"} <= set(entry)
    (candidate,) = entry["candidates"]
    assert {"pid", "comm", "score", "oom_score_adj", "rss_bytes", "swap_bytes", "pgtables_bytes", "why"} <= set(
        candidate
    )
    assert entry["candidate_count"] == 2


def test_tasks_bound_to_nodes_are_a_scope_of_their_own_when_asked() -> None:
    zones = (Zone(0, "Normal", {"present_bytes": GIB}), Zone(1, "Normal", {"present_bytes": 2 * GIB}))
    nodes = tuple(
        Node(
            number,
            {
                "mem_free_bytes": 8 * MIB,
                "active_file_bytes": MIB,
                "inactive_file_bytes": MIB,
                "sreclaimable_bytes": MIB,
            },
        )
        for number in (0, 1)
    )
    snapshot = machine(
        process(10, 9 * MIB, mems_allowed="0"), process(11, MIB, mems_allowed="0-1"), process(12, 2 * MIB, mems_allowed="1"),
        zones=zones, nodes=nodes, settings={"panic_on_oom": 1},
    )  # fmt: skip
    whole, bound = predict(snapshot, frozenset([1]))
    assert (bound.scope, bound.nodes, order(bound)) == (Scope.CPUSET, (1,), [12, 11])
    assert (bound.limit_bytes, bound.total_bytes) == (2 * GIB, 4 * GIB)
    assert bound.distance_bytes == (8 + 2 + 1) * MIB + GIB
    assert bound.usage_bytes == 2 * GIB - 8 * MIB
    assert (whole.fate, bound.fate) == (Fate.PANIC, Fate.KILL)
    assert predict(snapshot, frozenset([7]))[1].distance_bytes is None


@pytest.mark.parametrize(
    ("text", "numbers"), [("0", {0}), ("0-2,5", {0, 1, 2, 5}), ("", set()), ("x", set()), ("0-", set())]
)
def test_lists_of_nodes(text: str, numbers: set[int]) -> None:
    assert numbers_of(text) == numbers
