"""Whom the guard chooses, and how much of it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import oomlens.policy.detectors as detectors
import oomlens.policy.rankings as rankings
from oomlens.policy.candidate import Candidate
from oomlens.policy.choose import SWARM_COUNT, SWARM_YOUNG_TICKS, above, why_not
from support.guard_policy import candidate, chosen

ID = "0123456789abcdef" * 4


def four() -> list[Candidate]:
    """Hold 100, 150, 200 and 250 thousandths; two in one cgroup, the smallest grows, the second is reclaimed from."""
    return [
        candidate(11, 100_000, cgroup="/a", growth_kb_per_second=50_000.0, scanned_pages_per_second=10.0),
        candidate(12, 150_000, cgroup="/b", scanned_pages_per_second=90.0),
        candidate(13, 150_000, swap_kb=50_000, cgroup="/a", scanned_pages_per_second=10.0),
        candidate(14, 250_000, cgroup="/c", growth_kb_per_second=-9.0, scanned_pages_per_second=0.0),
    ]


@pytest.mark.parametrize(
    ("ranking", "order", "points"),
    [
        ("badness", [14, 13, 12, 11], [250, 200, 150, 100]),
        # 11: five seconds of 50,000 kB are 250, but no more than twice the 100 that it holds.
        ("growth", [11, 14, 13, 12], [300, 250, 200, 150]),
        # /a holds 300: 13 and 11 both count with all of it, and the larger of them goes first.
        ("cgroup", [13, 11, 14, 12], [300, 300, 250, 150]),
        # Of 100 pages scanned 90 are /b's, 10 are /a's.
        ("pressure", [12, 13, 14, 11], [1050, 300, 250, 200]),
    ],
)
def test_each_ranking_gives_this_order_whatever_the_order_of_the_list(
    ranking: str, order: list[int], points: list[int]
) -> None:
    for arrangement in itertools.permutations(four()):
        choice = chosen(arrangement, ranking=ranking)
        assert [each.pid for each in choice.ranked] == order
        assert [each.points for each in choice.ranked] == points
        assert choice.victim is choice.ranked[0]


def test_what_is_unknown_adds_nothing() -> None:
    alone = candidate(11, 100_000)
    for ranking in rankings.RANKINGS:
        choice = chosen([alone], ranking=ranking)
        assert choice.ranked[0].points == 100, ranking


def test_the_kernel_adjustment_counts_in_thousandths() -> None:
    choice = chosen([candidate(11, 100_000, oom_score_adj=300), candidate(12, 350_000)])
    assert [each.points for each in choice.ranked] == [400, 350]


def test_equal_points_are_broken_by_size_then_by_the_newer_pid() -> None:
    same = [candidate(11, 100_000), candidate(12, 100_000), candidate(13, 100_400)]
    assert [each.pid for each in chosen(same).ranked] == [13, 12, 11]


def test_weights_prefer_and_protect_and_say_why() -> None:
    people = [candidate(11, 300_000, comm="editor"), candidate(12, 200_000, comm="batch-7")]
    rules: list[dict[str, Any]] = [
        {"why": "prefer: batch", "name": "batch-*", "points": 200},
        {"why": "protect: editor", "name": "editor", "points": -50},
    ]
    choice = chosen(people, weights=rules)
    assert [(each.pid, each.points) for each in choice.ranked] == [(12, 400), (11, 250)]
    assert choice.ranked[0].terms[-1] == ("prefer: batch", 200)
    assert choice.ranked[1].terms[-1] == ("protect: editor", -50)


def test_systemd_avoid_is_last_and_omit_is_never() -> None:
    avoided = [
        candidate(11, 400_000, preference="avoid"),
        candidate(12, 50_000),
        candidate(13, 500_000, preference="omit"),
    ]
    choice = chosen(avoided)
    assert choice.victim is not None
    assert choice.victim.pid == 12
    assert [(each.pid, why) for each, why in choice.passed_over] == [(13, "ManagedOOMPreference=omit")]
    alone = chosen([candidate(11, 400_000, preference="avoid"), candidate(13, 500_000, preference="omit")])
    assert alone.victim is not None
    assert alone.victim.pid == 11


@pytest.mark.parametrize(
    ("spared", "why"),
    [
        (candidate(1, 900_000), "PID 1"),
        (candidate(9, 900_000), "the guard"),
        (candidate(11, 900_000, oom_score_adj=-1000), "oom_score_adj -1000"),
        (candidate(11, 900_000, preference="omit"), "ManagedOOMPreference=omit"),
        (candidate(12, 900_000), "did not end"),
        (candidate(11, 900_000, exe="/usr/sbin/sshd"), "sshd"),
        (candidate(11, 900_000, cgroup="/a/dbus.service"), "the bus"),
        (candidate(11, 900_000, uid=0, comm="agent"), "exempt"),
        (candidate(11, 900_000, labels={"tier": "data-1"}), "by label"),
        (candidate(11, 900_000, cmdline="/bin/x --keep"), "by words"),
        (candidate(11, 900_000, cgroup="/kept/x"), "by cgroup"),
    ],
)
def test_these_are_never_chosen(spared: Candidate, why: str) -> None:
    rules: list[dict[str, Any]] = [
        {"why": "sshd", "exe": "/usr/sbin/sshd"},
        {"why": "the bus", "unit": "dbus*.service"},
        {"name": "agent", "uid": 0},
        {"why": "by label", "label": ["tier", "data-*"]},
        {"why": "by words", "cmdline": "*--keep"},
        {"why": "by cgroup", "cgroup": "/kept/*"},
    ]
    assert why_not(spared, rules, 9, [12]) == why
    choice = chosen([spared], exempt=rules, stuck=[12])
    assert choice.victim is None
    assert choice.reason == "nobody-may-be-ended"


def test_a_rule_fits_only_where_all_of_it_does_and_not_what_cannot_be_read() -> None:
    rules: list[dict[str, Any]] = [{"why": "both", "name": "agent", "uid": 0}, {"why": "exe", "exe": "*"}]
    assert why_not(candidate(11, comm="agent", uid=1000), rules, 9) is None
    assert why_not(candidate(11, comm="agent", uid=None), rules, 9) is None
    assert why_not(candidate(11, exe=None), rules, 9) is None
    assert why_not(candidate(11, comm="agent", uid=0), rules, 9) == "both"


def test_on_the_roads_that_are_not_about_the_last_memory_a_small_one_cannot_help() -> None:
    small, enough = candidate(11, 29_999), candidate(12, 10_000, swap_kb=20_000)
    assert chosen([small], road="exhaustion").victim is small
    held_back = chosen([small], road="thrash")
    assert held_back.victim is None
    assert held_back.reason == "nobody-large-enough"
    assert chosen([enough], road="harm").victim is enough


@pytest.mark.parametrize(
    ("path", "wanted", "whole"),
    [
        ("/a/b", "cgroup", "/a/b"),
        ("/a/b", "process", None),
        (None, "cgroup", None),
        ("/system.slice/web.service/worker", "unit", "/system.slice/web.service"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/app-x.scope", "unit", "/user.slice/user-7.slice/user@7.service/app.slice/app-x.scope"),
        ("/user.slice/user-7.slice/user@7.service/init.scope", "unit", None),
        ("/init.scope", "unit", None),
        ("/user.slice/user-7.slice/session-3.scope", "session", "/user.slice/user-7.slice/session-3.scope"),
        ("/system.slice/session-log.service", "session", None),
        (f"/system.slice/docker-{ID}.scope", "container", f"/system.slice/docker-{ID}.scope"),
        (f"/docker/{ID}", "container", f"/docker/{ID}"),
        (f"/docker/{ID}/init", "container", f"/docker/{ID}"),
        (f"/machine.slice/libpod-{ID}.scope/container", "container", f"/machine.slice/libpod-{ID}.scope"),
        (f"/libpod_parent/libpod-{ID}", "container", f"/libpod_parent/libpod-{ID}"),
        (f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/crio-{ID}.scope", "container", f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/crio-{ID}.scope"),
        (f"/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{ID}.scope", "container", f"/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{ID}.scope"),
        (f"/kubepods/burstable/pod12345678-1234-1234-1234-123456789012/{ID}", "container", f"/kubepods/burstable/pod12345678-1234-1234-1234-123456789012/{ID}"),
        (f"/kubepods/pod12345678-1234-1234-1234-123456789012/{ID}", "container", f"/kubepods/pod12345678-1234-1234-1234-123456789012/{ID}"),
        # A static pod's id has no dashes: it is a pod nevertheless.
        ("/kubepods/burstable/pod" + ID[:32], "container", None),
        ("/lxc.payload.web/system.slice", "container", "/lxc.payload.web"),
        ("/machine.slice/systemd-nspawn@web.service/payload", "container", "/machine.slice/systemd-nspawn@web.service"),
        # What only sounds like one.
        (f"/machine.slice/libpod-conmon-{ID}.scope", "container", None),
        (f"/machine.slice/crio-conmon-{ID}.scope", "container", None),
        ("/system.slice/docker-registry.service", "container", None),
        ("/system.slice/docker-" + "z" * 64 + ".scope", "container", None),
        ("/system.slice/docker.service", "container", None),
    ],
)  # fmt: skip
def test_the_whole_that_a_process_lies_in(path: str | None, wanted: str, whole: str | None) -> None:
    assert above(path, wanted) == whole


def test_oom_group_takes_the_whole_group_and_nothing_else() -> None:
    inside = [
        candidate(11, 300_000, cgroup="/s/g/x", together="/s/g"),
        candidate(12, 1000, cgroup="/s/g", together="/s/g"),
        candidate(13, 1000, cgroup="/s/gx"),
    ]
    choice = chosen(inside)
    assert (choice.object, choice.target_cgroup) == ("cgroup", "/s/g")
    assert {each.pid for each in choice.members} == {11, 12}
    assert chosen(inside, object="process").members == (inside[0],)


def test_a_whole_is_spared_where_it_holds_one_that_is_spared() -> None:
    inside = [
        candidate(11, 300_000, cgroup="/web.service/a"),
        candidate(12, 1000, cgroup="/web.service/b", comm="sshd"),
    ]
    choice = chosen(inside, object="unit", exempt=[{"name": "sshd"}])
    assert choice.victim is inside[0]
    assert choice.members == (inside[0],)
    assert (choice.object, choice.target_cgroup) == ("process", None)
    assert choice.reason == "whole-holds-one-that-is-spared"
    assert chosen(inside, object="unit").object == "unit"


@pytest.mark.parametrize(
    ("limit", "target"),
    [(None, "/a/b"), ("/", "/a/b"), ("/a", "/a/b"), ("/a/b", "/a/b"), ("/a/b/c", None), ("/a/bb", None)],
)
def test_nothing_above_the_cgroup_whose_limit_it_is(limit: str | None, target: str | None) -> None:
    inside = candidate(11, 300_000, cgroup="/a/b/c", together="/a/b")
    choice = chosen([inside], limit_cgroup=limit)
    assert choice.victim is inside
    assert choice.target_cgroup == target


def test_the_root_is_never_taken_whole() -> None:
    choice = chosen([candidate(11, 300_000, cgroup="/"), candidate(12, 1000, cgroup="/x")], object="cgroup")
    assert (choice.object, len(choice.members)) == ("process", 1)


def swarm(count: int) -> list[Candidate]:
    """So many small ones of one kind, just started; others."""
    alike = [
        candidate(100 + index, 2_000, comm="bomb", uid=1000, cgroup="/u", start_ticks=90_000 + index)
        for index in range(count)
    ]
    return [*alike, candidate(11, 1_900, comm="other"), candidate(12, 2_000, comm="bomb", uid=0, cgroup="/u")]


def test_a_fork_bomb_is_taken_whole() -> None:
    choice = chosen(swarm(SWARM_COUNT))
    assert choice.object == "swarm"
    assert len(choice.members) == SWARM_COUNT
    assert {each.uid for each in choice.members} == {1000}


def test_a_larger_bystander_is_not_taken_for_a_bomb() -> None:
    bystander = candidate(13, 18_000, comm="editor", start_ticks=5)
    choice = chosen([*swarm(SWARM_COUNT), bystander])
    assert (choice.object, choice.victim is bystander) == ("swarm", False)
    assert bystander not in choice.members


def test_many_old_ones_are_a_service_and_no_bomb() -> None:
    old = [candidate(100 + index, 2_000, comm="worker", start_ticks=10_000) for index in range(2 * SWARM_COUNT)]
    choice = chosen([*old, candidate(13, 1_000, start_ticks=10_001 + SWARM_YOUNG_TICKS)])
    assert (choice.object, len(choice.members)) == ("process", 1)


def test_many_of_a_kind_are_no_bomb_where_something_else_holds_more() -> None:
    assert chosen(swarm(SWARM_COUNT - 1)).object == "process"
    half = SWARM_COUNT * 2_000 // 2
    assert chosen([*swarm(SWARM_COUNT), candidate(13, half + 1, oom_score_adj=-900)]).object == "process"
    assert chosen(swarm(SWARM_COUNT), object="process").object == "process"


def test_a_leak_in_one_of_many_that_share_their_memory_is_no_bomb() -> None:
    # As of a database: each maps the shared 90,000 kB, one has filled much more.
    backends = [candidate(100 + index, 90_000, comm="postgres", uid=26, cgroup="/db") for index in range(SWARM_COUNT)]
    backends[7].rss_kb = 400_000
    choice = chosen(backends)
    assert choice.victim is backends[7]
    assert (choice.object, choice.members) == ("process", (backends[7],))


class Counted(Candidate):
    """Counts how often its size is asked for."""

    __slots__ = ("looks",)

    def __init__(self, pid: int) -> None:
        object.__setattr__(self, "looks", 0)
        super().__init__(pid, 1)

    def __getattribute__(self, name: str) -> Any:
        if name == "rss_kb":
            object.__setattr__(self, "looks", object.__getattribute__(self, "looks") + 1)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("ranking", list(rankings.RANKINGS))
def test_a_choice_looks_at_each_a_few_times_however_many_there_are(ranking: str) -> None:
    many: list[Candidate] = []
    for pid in range(100, 1100):
        each = Counted(pid)
        each.rss_kb = 2_000
        each.cgroup = "/u"
        many.append(each)
    chosen(many, ranking=ranking)
    looks = [object.__getattribute__(each, "looks") for each in many]
    assert max(looks[1:]) < 20  # a thousand times where each one sums up all the others


@pytest.mark.parametrize("module", [detectors, rankings])
def test_the_lists_name_every_file(module: Any) -> None:
    folder = Path(module.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    listed = {detector.ROAD for detector in detectors.DETECTORS} if module is detectors else set(rankings.RANKINGS)
    assert listed == files
