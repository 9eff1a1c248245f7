"""The sysctl planner: values, traps, and the file that wins at boot."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from oomlens.apply.engine import Engine
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine as Live
from oomlens.host.read.reader import Reader
from oomlens.host.read.sysctl_facts import read_sysctl_facts
from oomlens.model.plan import FileFact, Plan, Proposal, Refusal, Safety
from oomlens.plan import sysctl_files as files
from oomlens.plan.assemble import make_plan
from oomlens.plan.kinds.sysctl import SysctlFacts, SysctlWish, propose
from oomlens.plan.sysctl_traps import Machine
from oomlens.plan.sysctls import BY_KEY, ROWS
from support.plans import apply_and_roll_back, run_shell, shell_of, stopped_everywhere, tree_bytes

GIB = 1 << 30
VALUES = {
    **dict.fromkeys(BY_KEY, "0"), "vm/swappiness": "60", "vm/overcommit_ratio": "50", "vm/min_free_kbytes": "66000",
    "vm/max_map_count": "65530", "vm/watermark_scale_factor": "10",
}  # fmt: skip
MACHINE = Machine(
    ram_bytes=10 * GIB, available_bytes=4 * GIB, hugetlb_bytes=0, hugepage_bytes=2 << 20, swap_bytes=2 * GIB,
    committed_bytes=6 * GIB, values=VALUES,
)  # fmt: skip
FACTS = SysctlFacts(machine=MACHINE)


def fact(path: str, content: str) -> FileFact:
    return FileFact(path, content.encode())


def propose_(facts: SysctlFacts, *settings: str, **wish: bool) -> tuple[Proposal, ...]:
    return propose(SysctlWish(dict(setting.split("=") for setting in settings), **wish), facts)


def planned(facts: SysctlFacts, *settings: str, **wish: bool) -> Plan:
    (proposal,) = propose_(facts, *settings, **wish)
    assert isinstance(proposal, Plan), proposal
    return proposal


def codes(facts: SysctlFacts, *settings: str) -> list[str]:
    found = propose_(facts, *settings)
    assert all(isinstance(each, Refusal) for each in found), found
    return [each.code for each in found if isinstance(each, Refusal)]


def texts(plan: Plan) -> str:
    return "\n".join(warning.text for warning in plan.warnings)


def with_files(*found: FileFact, **values: object) -> SysctlFacts:
    return replace(FACTS, files=found, **values)  # type: ignore[arg-type]


def edits(plan: Plan) -> list[tuple[str, str]]:
    return [(step.target, step.diff[-1]) for step in plan.steps if step.action == "edit-file"]


def test_a_value_is_set_now_and_kept_in_a_file_of_ours() -> None:
    plan = planned(FACTS, "vm.swappiness=10")
    live, kept = plan.steps
    assert (live.target, live.parameters["value"], live.before) == ("/proc/sys/vm/swappiness", "10", {"value": "60"})
    assert edits(plan) == [("/etc/sysctl.d/90-oomlens.conf", "+vm.swappiness = 10")]
    assert (plan.remedy, plan.argv, plan.safety, kept.before) == ("set-swappiness", ("sysctl", "vm.swappiness=10"), Safety.SAFE, {"present": False})  # fmt: skip


def test_several_values_are_one_edit_of_one_file() -> None:
    plan = planned(FACTS, "vm/swappiness=10", "/proc/sys/vm/oom_dump_tasks=1")
    assert [step.action for step in plan.steps] == ["set-value", "set-value", "edit-file"]
    assert plan.steps[2].diff[-2:] == ("+vm.swappiness = 10", "+vm.oom_dump_tasks = 1")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("50-a.conf", "90-oomlens.conf"),
        ("99-custom.conf", "99-oomlens.conf"),
        ("99-sysctl.conf", "99-zz-oomlens.conf"),
        ("zzz.conf", "zzz_oomlens.conf"),
    ],
)
def test_the_file_sorts_after_the_one_that_sets_it_now(name: str, ours: str) -> None:
    facts = with_files(fact(f"/usr/lib/sysctl.d/{name}", "vm.swappiness=30\n"))
    plan = planned(facts, "vm.swappiness=10")
    assert edits(plan) == [(f"/etc/sysctl.d/{ours}", "+vm.swappiness = 10")]
    assert "sorts later wins" in texts(plan)


def test_a_file_of_ours_that_wins_is_changed_by_one_line() -> None:
    own = fact("/etc/sysctl.d/99-oomlens.conf", "# mine\nvm.swappiness = 30\nvm.panic_on_oom=0\n")
    plan = planned(with_files(fact("/etc/sysctl.d/99-custom.conf", "vm.swappiness=1\n"), own), "vm.swappiness=10")
    assert edits(plan) == [("/etc/sysctl.d/99-oomlens.conf", " vm.panic_on_oom=0")]
    assert [line for line in plan.steps[1].diff[2:] if line[0] in "+-"] == [
        "-vm.swappiness = 30",
        "+vm.swappiness = 10",
    ]


def test_a_file_of_ours_that_is_beaten_is_left_and_a_later_one_made() -> None:
    own = fact("/etc/sysctl.d/90-oomlens.conf", "vm.swappiness = 30\n")
    plan = planned(with_files(own, fact("/etc/sysctl.d/99-a.conf", "vm.swappiness=1\n")), "vm.swappiness=10")
    assert edits(plan) == [("/etc/sysctl.d/99-oomlens.conf", "+vm.swappiness = 10")]


def test_a_file_of_ours_gets_another_key_too() -> None:
    own = fact("/etc/sysctl.d/90-oomlens.conf", "vm.panic_on_oom = 0\n")
    assert edits(planned(with_files(own), "vm.swappiness=10")) == [
        ("/etc/sysctl.d/90-oomlens.conf", "+vm.swappiness = 10")
    ]


def test_a_value_that_is_there_at_boot_already_is_only_set_now() -> None:
    facts = with_files(fact("/etc/sysctl.d/99-a.conf", "-vm/swappiness = 10\n"))
    assert [step.action for step in planned(facts, "vm.swappiness=10").steps] == ["set-value"]
    both = replace(facts, machine=replace(MACHINE, values={**VALUES, "vm/swappiness": "10"}))
    assert codes(both, "vm.swappiness=10") == ["already"]


def test_a_masked_file_does_not_count() -> None:
    facts = with_files(fact("/usr/lib/sysctl.d/99-a.conf", "vm.swappiness=1\n"), fact("/etc/sysctl.d/99-a.conf", ""))
    assert edits(planned(facts, "vm.swappiness=10"))[0][0] == "/etc/sysctl.d/90-oomlens.conf"


def test_procps_reads_the_main_file_last_so_it_is_changed_there() -> None:
    main = fact("/etc/sysctl.conf", "#vm.swappiness=1\nvm.swappiness=60\n")
    plan = planned(with_files(main=main, applier="procps"), "vm.swappiness=10")
    assert [line for line in plan.steps[1].diff[2:] if line[0] in "+-"] == ["-vm.swappiness=60", "+vm.swappiness=10"]
    assert plan.steps[1].target == "/etc/sysctl.conf"
    elsewhere = planned(with_files(main=main, applier="systemd"), "vm.swappiness=10")
    assert elsewhere.steps[1].target == "/etc/sysctl.d/90-oomlens.conf"
    assert "systemd does not read it" in texts(elsewhere)


def test_only_now_and_only_at_boot() -> None:
    assert [step.action for step in planned(FACTS, "vm.swappiness=10", until_reboot=True).steps] == ["set-value"]
    assert [step.action for step in planned(FACTS, "vm.swappiness=10", at_boot=True).steps] == ["edit-file"]
    assert [step.action for step in planned(replace(FACTS, live=False), "vm.swappiness=10").steps] == ["edit-file"]


def test_nobody_reads_the_files() -> None:
    assert "nothing reads sysctl.d" in texts(planned(replace(FACTS, applier=None), "vm.swappiness=10"))


def test_every_reason_is_given_at_once() -> None:
    assert codes(FACTS, "vm.swappines=10", "vm.swappiness=201", "vm.oom_dump_tasks=x", "vm.swap=9") == [
        "unknown-key", "out-of-range", "out-of-range", "unknown-key",
    ]  # fmt: skip
    (unknown,) = propose_(FACTS, "vm.swapiness=10")
    assert isinstance(unknown, Refusal)
    assert unknown.hint is not None
    assert unknown.hint.values == {"near": "vm.swappiness"}


def test_what_this_kernel_has_not_or_a_container_may_not_is_refused() -> None:
    without = replace(FACTS, machine=replace(MACHINE, values={**VALUES, "vm/swappiness": None}))
    assert codes(without, "vm.swappiness=10") == ["absent"]
    (refusal,) = propose_(replace(FACTS, read_only=True), "vm.swappiness=10")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.commands) == ("read-only", ("sudo sysctl -w vm.swappiness=10",))


def test_swappiness_0_needs_to_be_allowed() -> None:
    plan = planned(FACTS, "vm.swappiness=0")
    assert {step.safety for step in plan.steps} == {Safety.DISRUPTIVE}
    assert "killed while swap is still free" in texts(plan)


def test_a_dangerous_value_keeps_no_other_from_being_set() -> None:
    plan = planned(FACTS, "vm.swappiness=0", "vm.oom_dump_tasks=1")
    assert [(step.target, step.safety) for step in plan.steps] == [
        ("/proc/sys/vm/swappiness", Safety.DISRUPTIVE),
        ("/proc/sys/vm/oom_dump_tasks", Safety.SAFE),
        ("/etc/sysctl.d/90-oomlens.conf", Safety.SAFE),
        ("/etc/sysctl.d/91-oomlens.conf", Safety.DISRUPTIVE),
    ]


def test_swappiness_for_zram_is_another_one() -> None:
    zram = replace(FACTS, machine=replace(MACHINE, zram=True))
    assert "100 to 180 suits it" in texts(planned(zram, "vm.swappiness=10"))
    assert "100 to 180 suits it" not in texts(planned(zram, "vm.swappiness=150"))
    assert "before 5.8" in texts(planned(FACTS, "vm.swappiness=150"))


def test_strict_overcommit_is_refused_where_more_is_promised_than_it_allows() -> None:
    # 10 GiB of RAM at 50 % and 2 GiB of swap: 7 GiB; 6 are promised. At 30 %: 5 GiB.
    plan = planned(FACTS, "vm.overcommit_memory=2")
    assert {term.name: term.value for term in plan.arithmetic} == {
        "commit_limit_bytes": 7 * GIB,
        "committed_bytes": 6 * GIB,
    }
    assert plan.safety is Safety.DISRUPTIVE
    assert codes(FACTS, "vm.overcommit_memory=2", "vm.overcommit_ratio=30") == ["commit-exceeded"]
    assert codes(FACTS, "vm.overcommit_memory=2", f"vm.overcommit_kbytes={3 << 20}") == ["commit-exceeded"]  # 3 GiB + 2
    assert isinstance(propose_(FACTS, "vm.overcommit_memory=2", f"vm.overcommit_kbytes={4 << 20}")[0], Plan)
    huge = replace(FACTS, machine=replace(MACHINE, hugetlb_bytes=4 * GIB))
    assert codes(huge, "vm.overcommit_memory=2") == ["commit-exceeded"]  # 6 GiB * 50 % + 2
    assert codes(replace(FACTS, machine=replace(MACHINE, committed_bytes=None)), "vm.overcommit_memory=2") == [
        "commit-unknown"
    ]


def test_the_limit_is_set_before_it_binds_and_let_go_before_it_shrinks() -> None:
    strict = planned(FACTS, "vm.overcommit_memory=2", "vm.overcommit_ratio=80", until_reboot=True)
    assert [step.target for step in strict.steps] == ["/proc/sys/vm/overcommit_ratio", "/proc/sys/vm/overcommit_memory"]
    facts = replace(FACTS, machine=replace(MACHINE, values={**VALUES, "vm/overcommit_memory": "2"}))
    loose = planned(facts, "vm.overcommit_ratio=40", "vm.overcommit_memory=0", until_reboot=True)
    assert [step.target for step in loose.steps] == ["/proc/sys/vm/overcommit_memory", "/proc/sys/vm/overcommit_ratio"]


def test_a_limit_that_only_rises_is_no_danger() -> None:
    strict = replace(FACTS, machine=replace(MACHINE, values={**VALUES, "vm/overcommit_memory": "2"}))
    assert planned(strict, "vm.overcommit_ratio=80").safety is Safety.SAFE
    assert planned(strict, "vm.overcommit_ratio=45").safety is Safety.DISRUPTIVE


def test_of_ratio_and_kbytes_the_other_is_written_first_and_both_come_back() -> None:
    values = {**VALUES, "vm/overcommit_ratio": "0", "vm/overcommit_kbytes": "1000"}
    plan = planned(replace(FACTS, machine=replace(MACHINE, values=values)), "vm.overcommit_ratio=50", until_reboot=True)
    assert [(step.target, step.parameters["value"]) for step in plan.steps] == [
        ("/proc/sys/vm/overcommit_kbytes", "0"),
        ("/proc/sys/vm/overcommit_ratio", "50"),
    ]
    assert codes(FACTS, "vm.overcommit_ratio=50", "vm.overcommit_kbytes=1") == ["either"]


def test_under_strict_overcommit_one_of_the_pair_is_not_exchanged_for_the_other() -> None:
    values = {**VALUES, "vm/overcommit_memory": "2", "vm/overcommit_ratio": "0", "vm/overcommit_kbytes": str(8 << 20)}
    strict = replace(FACTS, machine=replace(MACHINE, values=values))
    assert codes(strict, "vm.overcommit_ratio=90") == ["either"]
    assert isinstance(propose_(strict, "vm.overcommit_ratio=90", "vm.overcommit_memory=0")[0], Plan)
    assert isinstance(propose_(strict, f"vm.overcommit_kbytes={9 << 20}")[0], Plan)


def test_the_reserve_has_bounds_from_the_ram() -> None:
    assert codes(FACTS, "vm.min_free_kbytes=512") == ["too-small"]
    assert codes(FACTS, f"vm.min_free_kbytes={(10 << 20) // 20 + 1}") == ["too-large"]  # 5 % of 10 GiB, in kB
    assert isinstance(propose_(FACTS, f"vm.min_free_kbytes={(10 << 20) // 20}")[0], Plan)
    assert codes(FACTS, f"vm.admin_reserve_kbytes={2 << 20}") == ["too-large"]


def test_huge_pages_have_to_fit() -> None:
    assert codes(FACTS, "vm.nr_hugepages=2049") == ["too-large"]  # 2 MiB each; 4 GiB are available
    assert "lost to everything" in texts(planned(FACTS, "vm.nr_hugepages=2048"))
    fewer = replace(FACTS, machine=replace(MACHINE, values={**VALUES, "vm/nr_hugepages": "9999"}))
    assert planned(fewer, "vm.nr_hugepages=0").warnings == ()


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("vm.panic_on_oom=1", "stops everything"),
        ("vm.panic_on_oom=2", "even a container"),
        ("vm.oom_kill_allocating_task=1", "however small"),
        ("vm.vfs_cache_pressure=0", "never reclaimed"),
        ("vm.watermark_scale_factor=1000", "apart"),
        ("vm.overcommit_memory=1", "nothing is ever refused"),
    ],
)
def test_traps_are_told(setting: str, word: str) -> None:
    assert word in texts(planned(FACTS, setting))


def test_a_panic_that_nobody_resets_is_told() -> None:
    assert "stays down" in texts(planned(FACTS, "vm.panic_on_oom=1"))
    assert "stays down" not in texts(planned(FACTS, "vm.panic_on_oom=1", "kernel.panic=10"))


def test_rows_are_sorted_and_their_bounds_make_sense() -> None:
    assert [row.key for row in ROWS] == sorted(row.key for row in ROWS)
    assert all(row.low < row.high for row in ROWS)


def root_of(folder: Path) -> Path:
    for path, text in {
        "proc/sys/vm/swappiness": "60\n",
        "proc/meminfo": "MemTotal: 8000000 kB\nSwapTotal: 0 kB\nCommitted_AS: 10 kB\n",
        "etc/sysctl.conf": "vm.swappiness=55\n",
        "etc/sysctl.d/10-a.conf": "vm.swappiness=1",
        "usr/lib/sysctl.d/50-b.conf": "# b\nvm.oom_dump_tasks = 1\n",
        "usr/lib/systemd/systemd-sysctl": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="ascii")
    (folder / "lib").symlink_to("usr/lib")
    (folder / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    (folder / "etc/sysctl.d/50-b.conf").symlink_to("/dev/null")
    return folder


def test_the_files_of_a_machine_are_read_with_their_links(tmp_path: Path) -> None:
    root = root_of(tmp_path)
    (root / "dev").mkdir()
    facts = read_sysctl_facts(Reader(root))
    assert (facts.applier, facts.main_linked, facts.live) == ("systemd", True, False)
    assert [file.path for file in facts.ordered] == [
        "/etc/sysctl.d/10-a.conf",
        "/etc/sysctl.d/50-b.conf",
        "/etc/sysctl.d/99-sysctl.conf",
    ]
    assert files.effective(facts.ordered, "vm/oom_dump_tasks") is None  # masked
    winner = files.effective(facts.ordered, "vm/swappiness")
    assert winner is not None
    assert (winner.path, winner.value) == ("/etc/sysctl.d/99-sysctl.conf", "55")
    plan = planned(facts, "vm.swappiness=10")
    assert [step.target for step in plan.steps] == ["/etc/sysctl.d/99-zz-oomlens.conf"]


def test_it_is_applied_taken_back_and_stopped_anywhere(tmp_path: Path) -> None:
    facts = replace(read_sysctl_facts(Reader(root_of(tmp_path / "seen"))), live=True)
    whole = planned(facts, "vm.swappiness=10")
    plan = make_plan(replace(whole, preconditions=()))
    apply_and_roll_back(plan, root_of(tmp_path / "root"), tmp_path / "state")
    numbers = iter(range(1000))

    def fresh() -> tuple[Path, Path, None]:
        number = next(numbers)
        return root_of(tmp_path / f"r{number}"), tmp_path / f"s{number}", None

    assert stopped_everywhere(plan, fresh) > 5


def test_the_shell_that_is_shown_writes_the_same_bytes(tmp_path: Path) -> None:
    facts = read_sysctl_facts(Reader(root_of(tmp_path / "seen")))
    plan = make_plan(replace(planned(facts, "vm.swappiness=10", "vm.oom_dump_tasks=0"), preconditions=()))
    by_shell, by_engine = root_of(tmp_path / "shell"), root_of(tmp_path / "engine")
    before = tree_bytes(by_shell)
    run_shell(shell_of(plan, str(by_shell)))
    Engine(Live(by_engine), Journal(tmp_path / "state")).apply(plan)
    assert tree_bytes(by_shell) == tree_bytes(by_engine)
    run_shell(shell_of(plan, str(by_shell), undo=True))
    assert tree_bytes(by_shell) == before
    assert re.search(
        r"^vm\.swappiness = 10$",
        (by_engine / "etc/sysctl.d/99-zz-oomlens.conf").read_text(encoding="ascii"),
        re.MULTILINE,
    )
