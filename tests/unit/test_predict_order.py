"""What changes the order of the candidates, what comes before the kernel, and who may be chosen where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oomlens.kernel.cgroup_names import names_of
from oomlens.model.prediction import Fate, ScopePrediction
from oomlens.model.report import Gap, Node, Scope, Zone
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot
from oomlens.predict import apply_changes, parse_change, predict
from oomlens.predict.nodes import bound_by_policy

MIB = 1 << 20
GIB = 1 << 30  # 262144 pages; a step of the score is 262


def process(pid: int, rss: int, adj: int = 0, **changes: Any) -> Process:
    base = Process(
        pid=pid, comm=f"p{pid}", state="S", ppid=1, threads=1, started_uptime_seconds=float(pid), uid=0,
        rss_bytes=rss, swap_bytes=0, pgtables_bytes=0, oom_score_adj=adj, cgroup="/",
    )  # fmt: skip
    return replace(base, **changes)


def machine(*processes: Process, cgroups: tuple[CgroupUsage, ...] = (), **changes: Any) -> Snapshot:
    meminfo = {"mem_total_bytes": GIB, "mem_available_bytes": GIB // 2, "swap_total_bytes": 0, "swap_free_bytes": 0}
    host = HostMemory(page_size=4096, kernel_release="6.1.0", cpus=2, initial_pid_namespace=True, meminfo=meminfo)
    return Snapshot(replace(host, **changes), cgroups, processes)


def usage(path: str, limit: int | None = None, **changes: Any) -> CgroupUsage:
    base = CgroupUsage(path=path, version=2, names=names_of(path), max_bytes=limit, current_bytes=0)
    return replace(base, **changes)


def kinds(scope: ScopePrediction) -> list[str]:
    return [warn.kind for warn in scope.warnings]


def test_the_score_that_spares_the_first_and_those_that_bring_others_forward() -> None:
    first, second, third = predict(machine(process(10, 100 * MIB), process(11, 90 * MIB), process(12, MIB)))[
        0
    ].candidates
    # 10 MiB are 2560 pages, 9 steps of 262 and a rest: one more makes the difference. 99 MiB are 25344, 96 steps and a rest.
    assert (first.turn_adj, second.turn_adj, third.turn_adj) == (-10, 10, 97)


@pytest.mark.parametrize(("adj", "first"), [(-9, 10), (-10, 11)])
def test_the_score_that_spares_is_the_highest_that_does(adj: int, first: int) -> None:
    changed = apply_changes(machine(process(10, 100 * MIB), process(11, 90 * MIB)), [parse_change(f"adj:10={adj}")])
    assert predict(changed)[0].candidates[0].pid == first


@pytest.mark.parametrize(("adj", "first"), [(9, 10), (10, 11)])
def test_the_score_that_brings_forward_is_the_lowest_that_does(adj: int, first: int) -> None:
    changed = apply_changes(machine(process(10, 100 * MIB), process(11, 90 * MIB)), [parse_change(f"adj:11={adj}")])
    assert predict(changed)[0].candidates[0].pid == first


def test_where_no_score_brings_it_forward_there_is_none() -> None:
    alone = predict(machine(process(10, 100 * MIB)))[0].candidates[0]
    assert alone.turn_adj is None
    far = predict(machine(process(10, 900 * MIB, adj=1000), process(11, MIB)))[0].candidates[1]
    assert far.turn_adj is None


def test_what_a_group_takes_with_it_is_told_when_it_is_critical() -> None:
    snapshot = machine(
        process(10, 9 * MIB, cgroup="/g"), process(11, MIB, cgroup="/g", comm="sshd"), process(12, MIB, cgroup="/g", comm="sshd"),
        process(13, MIB, cgroup="/g", comm="postgres"), process(14, MIB, comm="dbus-daemon"),
        cgroups=(usage("/g", oom_group=True),),
    )  # fmt: skip
    told = [dict(warn.values) for warn in predict(snapshot)[0].warnings if warn.kind == "critical-with-it"]
    assert told == [
        {"pid": 11, "comm": "sshd", "role": "remote-access"},
        {"pid": 13, "comm": "postgres", "role": "database"},
    ]


def test_who_else_may_kill_is_told_for_the_machine() -> None:
    snapshot = machine(
        process(10, 9 * MIB, cgroup="/a"), process(11, MIB, comm="systemd-oomd"), cgroups=(usage("/a", GIB),)
    )
    whole, inner = predict(snapshot)
    assert [dict(warn.values) for warn in whole.warnings if warn.kind == "other-killer"] == [
        {"pid": 11, "comm": "systemd-oomd"}
    ]
    assert "other-killer" not in kinds(inner)


def test_a_cgroup_that_is_slowed_down_before_its_limit_says_so() -> None:
    def told(high: int | None) -> list[str]:
        inside = process(10, MIB, cgroup="/a")
        return kinds(predict(machine(inside, cgroups=(usage("/a", GIB, high_bytes=high),)))[1])

    assert told(900 * MIB) == ["slowed-first"]
    assert told(GIB) == []
    assert told(None) == []


def test_a_cgroup_without_processes_is_not_one_whose_processes_are_all_protected() -> None:
    empty, protected = usage("/a", GIB), usage("/b", GIB)
    scopes = predict(machine(process(10, MIB, adj=-1000, cgroup="/b"), cgroups=(empty, protected)))[1:]
    assert [(scope.path, scope.fate, kinds(scope)) for scope in scopes] == [
        ("/a", Fate.NOBODY, ["empty"]), ("/b", Fate.NOBODY, ["fate-nobody"]),
    ]  # fmt: skip


def test_where_killing_is_switched_off_nothing_panics() -> None:
    cgroup = usage("/a", GIB, version=1, oom_kill_disabled=True)
    inside = process(10, MIB, cgroup="/a")
    assert predict(machine(inside, cgroups=(cgroup,), settings={"panic_on_oom": 2}))[1].fate is Fate.WAIT


def test_without_hierarchy_a_limit_holds_for_its_own_cgroup_alone() -> None:
    """Version 1 before 5.11 unless memory.use_hierarchy is set."""

    def members(*, use_hierarchy: bool) -> list[int]:
        outer = usage("/a", GIB, version=1, use_hierarchy=use_hierarchy)
        inner = usage("/a/b", None, version=1, use_hierarchy=use_hierarchy)
        snapshot = machine(
            process(10, 2 * MIB, cgroup="/a"), process(11, 3 * MIB, cgroup="/a/b"), cgroups=(outer, inner)
        )
        return [each.pid for each in predict(snapshot)[1].candidates]

    assert members(use_hierarchy=True) == [11, 10]
    assert members(use_hierarchy=False) == [10]


def test_without_hierarchy_growth_is_charged_to_its_own_cgroup_alone() -> None:
    cgroups = (usage("/a", GIB, version=1, use_hierarchy=False), usage("/a/b", GIB, version=1, use_hierarchy=False))
    grown = apply_changes(machine(process(10, MIB, cgroup="/a/b"), cgroups=cgroups), [parse_change("10=+5M")])
    assert [each.current_bytes for each in grown.cgroups] == [0, 5 * MIB]


@pytest.mark.parametrize(
    ("policies", "release", "may"),
    [
        (("bind:0",), "6.1.0", False),
        (("bind:0-1",), "6.1.0", True),
        (("bind:0", "default"), "6.1.0", True),  # one of its threads may
        (("prefer:0",), "6.1.0", True),
        (("prefer=relative:0",), "6.1.0", True),
        (("bind=static:0",), "6.1.0", False),
        (("interleave:0",), "6.1.0", True),
        (("interleave:0",), "5.10.0", False),
        (None, "6.1.0", True),
    ],
)
def test_who_may_be_killed_for_memory_of_a_node_by_policy(
    policies: tuple[str, ...] | None, release: str, may: bool
) -> None:
    assert bound_by_policy(release)(process(10, MIB, mempolicies=policies), frozenset([1])) is may


def test_a_memory_policy_is_a_scope_of_its_own_when_asked() -> None:
    counters = {"mem_free_bytes": MIB, "active_file_bytes": 0, "inactive_file_bytes": 0, "sreclaimable_bytes": 0}
    snapshot = machine(
        process(10, 9 * MIB, mempolicies=("bind:0",), mems_allowed="1"), process(11, MIB, mempolicies=("default",), mems_allowed="0"),
        process(12, 2 * MIB, mems_allowed="0"),
        zones=(Zone(1, "Normal", {"present_bytes": GIB}),), nodes=(Node(1, counters),),
    )  # fmt: skip
    _, bound = predict(snapshot, policy_nodes=frozenset([1]))
    assert (bound.scope, bound.nodes) == (Scope.MEMPOLICY, (1,))
    # The cpuset does not matter here, and a policy that was not read does not exclude.
    assert [each.pid for each in bound.candidates] == [12, 11]
    assert Gap("mempolicies", "not-read-for-all") in bound.gaps
    assert bound.total_bytes == GIB


def swapping(*processes: Process, cgroups: tuple[CgroupUsage, ...]) -> Snapshot:
    meminfo = {"mem_total_bytes": GIB, "mem_available_bytes": 0, "swap_total_bytes": GIB, "swap_free_bytes": 100 * MIB}
    return machine(*processes, cgroups=cgroups, meminfo=meminfo)


def test_free_swap_that_no_process_may_use_does_not_count() -> None:
    """As on a node of Kubernetes: swap is there, and the pods may not have it."""
    cgroups = (
        usage("/"),
        usage("/a", swap_max_bytes=0),
        usage("/b", swap_max_bytes=30 * MIB, swap_current_bytes=10 * MIB),
    )
    pods = (process(10, MIB, cgroup="/a"), process(11, MIB, cgroup="/b"))
    whole = predict(swapping(*pods, cgroups=cgroups))[0]
    assert whole.distance_bytes == 20 * MIB
    assert {part.name: part.bytes for part in whole.distance_parts}["swap_barred"] == -80 * MIB
    # One process outside of them may have all of it.
    assert predict(swapping(*pods, process(12, MIB), cgroups=cgroups))[0].distance_bytes == 100 * MIB


def test_swap_of_a_cgroup_is_bound_by_those_in_it_and_above_it() -> None:
    def left(**limits: int) -> int | None:
        cgroups = tuple(
            usage(path, GIB if path == "/a/b" else None, swap_max_bytes=limits.get(name), swap_current_bytes=0)
            for path, name in (("/a", "above"), ("/a/b", "own"), ("/a/b/c", "below"))
        )
        (scope,) = [each for each in predict(swapping(process(10, MIB, cgroup="/a/b/c"), cgroups=cgroups)) if each.path]
        return {part.name: part.bytes for part in scope.distance_parts}["swap_free"]

    assert left() == 100 * MIB
    assert [left(**{name: 7 * MIB}) for name in ("above", "own", "below")] == [7 * MIB] * 3
