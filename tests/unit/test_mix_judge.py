"""The verdict on a prediction can be wrong: logs of kills beside what was predicted, right and not."""

from __future__ import annotations

from typing import Any

import pytest

from support.mixes.draw import Member, Mix, Place, Room, draw
from support.mixes.judge import judge

TOP = "/mix"
MIB = 1 << 20


def kmsg(*lines: str) -> str:
    return "".join(f"6,{100 + number},{5_000_000 + number},-;{line}\n" for number, line in enumerate(lines))


def row(pid: int, pages: int, adj: int = 0) -> str:
    return f"[ {pid:6}]     0 {pid:5}    90000 {pages:8}    40960        0         {adj:5} python3"


def report(victim: int, rows: tuple[str, ...], *others: int) -> str:
    killed = [
        f"Memory cgroup out of memory: Killed process {pid} (python3) total-vm:360000kB, anon-rss:8000kB, file-rss:0kB, "
        "shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0"
        for pid in (victim, *others)
    ]
    group = [f"Tasks in {TOP} are going to be killed due to memory.oom.group set"] if others else []
    return kmsg(
        "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "CPU: 0 PID: 12 Comm: python3 Not tainted 6.1.0-50-cloud-amd64 #1 Debian 6.1.176-1",
        "memory: usage 65536kB, limit 65536kB, failcnt 25",
        "swap: usage 0kB, limit 0kB, failcnt 0",
        f"Memory cgroup stats for {TOP}:",
        "Tasks state (memory values in pages):",
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        *rows,
        f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={TOP},"
        f"task_memcg={TOP},task=python3,pid={victim},uid=0",
        killed[0],
        *group,
        *killed[1:],
    )


def candidate(pid: int, pages: int, behind: int) -> dict[str, Any]:
    return {
        "pid": pid, "behind_bytes": behind * 4096, "rss_bytes": pages * 4096, "swap_bytes": 0, "pgtables_bytes": 40960,
    }  # fmt: skip


def result(log: str, *candidates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    members = tuple(Member("", 0, MIB) for _ in (10, 11, 12))
    mix = Mix(1, "cgroup", (Place("", 64 * MIB),), members, 2, "anon", 64 << 10)
    scope = {
        "scope": "memcg", "path": TOP, "fate": "kill", "group": None, "group_processes": None, "candidates": list(candidates),
    }  # fmt: skip
    found: dict[str, Any] = {
        "seed": 1, "kind": "cgroup", "kernel": "6.1.0", "mix": mix.to_dict(), "outcome": "kill", "top": TOP, "grower": 12,
        "pids": [10, 11, 12], "dead": [10], "scopes": [{**scope, **changes.pop("scope", {})}], "log": log,
    }  # fmt: skip
    return {**found, **changes}


TABLE = (row(10, 9000), row(11, 8990), row(12, 4000))


def test_the_predicted_one_was_killed() -> None:
    verdict = judge(result(report(10, TABLE), candidate(10, 9000, 0), candidate(11, 8990, 10)))
    assert (verdict.word, verdict.scope) == ("right", "memcg")


def test_another_one_was_killed_though_nothing_moved() -> None:
    """200 pages behind, and the one step of 64 KiB was not even one of these two's."""
    verdict = judge(result(report(10, TABLE), candidate(11, 9200, 0), candidate(10, 9000, 200)))
    assert verdict.word == "wrong"
    assert "819200 bytes behind" in verdict.text


def test_within_the_last_step_of_the_one_that_grows_it_is_a_tie() -> None:
    log = report(12, (row(10, 9000), row(11, 8990), row(12, 9005)))
    verdict = judge(result(log, candidate(10, 9000, 0), candidate(12, 8995, 5)))
    assert (verdict.word, verdict.behind_bytes) == ("tie", 5 * 4096)
    assert "moved by 0 and 40960 bytes" in verdict.text


def test_a_choice_that_the_kernels_own_table_does_not_give_is_no_tie() -> None:
    log = report(12, (row(10, 9000), row(11, 8990), row(12, 8999)))
    assert judge(result(log, candidate(10, 9000, 0), candidate(12, 8995, 5))).word == "wrong"


def test_one_that_was_no_candidate_is_wrong() -> None:
    assert judge(result(report(10, TABLE), candidate(11, 9000, 0))).word == "wrong"


@pytest.mark.parametrize(
    ("killed", "counted", "word"), [((11, 12), 3, "right"), ((11,), 3, "wrong"), ((11, 12), 2, "wrong")]
)
def test_a_group_is_killed_as_a_whole(killed: tuple[int, ...], counted: int, word: str) -> None:
    scope = {"group": TOP, "group_processes": counted}
    log = report(10, TABLE, *killed)
    assert judge(result(log, candidate(10, 9000, 0), candidate(11, 8990, 10), scope=scope)).word == word


def test_a_thread_that_is_named_with_its_group_is_no_other_process() -> None:
    scope = {"group": TOP, "group_processes": 3}
    found = result(report(10, TABLE, 11, 12, 13), candidate(10, 9000, 0), candidate(11, 8990, 10), scope=scope)
    assert judge(found).word == "right"  # 13 is in no row of the kernel's table
    stranger = result(report(10, (*TABLE, row(13, 5)), 11, 12, 13), candidate(10, 9000, 0), scope=scope)
    assert judge(stranger).word == "wrong"


def test_a_kill_where_none_was_predicted_is_wrong() -> None:
    log = report(10, TABLE)
    assert judge(result(log, candidate(10, 9000, 0), scope={"fate": "panic"})).word == "wrong"
    assert judge(result(log, candidate(10, 9000, 0), scope={"path": "/other"})).word == "wrong"


def test_where_nobody_could_be_killed_that_must_have_been_predicted() -> None:
    quiet = {"outcome": "nobody", "dead": []}
    assert judge(result("", candidate(10, 9000, 0), **quiet)).word == "wrong"
    assert judge(result("", scope={"fate": "nobody"}, **quiet)).word == "right"


@pytest.mark.parametrize("outcome", ["early", "stuck"])
def test_a_mix_without_a_prediction_or_kill_is_void_and_counted(outcome: str) -> None:
    assert judge(result(report(10, TABLE), candidate(10, 9000, 0), outcome=outcome)).word == "void"
    assert judge(result("", candidate(10, 9000, 0))).word == "void"


@pytest.mark.parametrize("kind", ["cgroup", "machine", "cpuset", "mempolicy"])
def test_mixes_are_the_same_again_and_differ_from_each_other(kind: str) -> None:
    room = Room(200 * MIB, 100 * MIB)
    mixes = [draw(seed, kind, room) for seed in range(60)]
    assert mixes == [draw(seed, kind, room) for seed in range(60)]
    assert len({mix.members for mix in mixes}) == 60
    for mix in mixes:
        assert any(member.adj != -1000 for member in mix.members) or kind == "cgroup"
        places = {place.name for place in mix.places}
        assert {member.place for member in mix.members} <= places | {None}
    if kind == "cgroup":
        assert {mix.grows for mix in mixes} == {"anon", "shared", "unmapped"}
        assert any(place.group for mix in mixes for place in mix.places)
        assert any(place.swap_bytes for mix in mixes for place in mix.places)
        assert any(place.name and place.max_bytes for mix in mixes for place in mix.places)
        assert any(member.adj == -1000 for mix in mixes for member in mix.members)


def test_without_the_right_to_protect_no_score_is_below_0() -> None:
    for seed in range(40):
        assert all(member.adj >= 0 for member in draw(seed, "cgroup", Room(0, protect=False)).members)
