"""The swap actions on a machine of files: done, seen, stopped anywhere, taken back, refused where it would do harm."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from oomlens.apply.actions import swap_active as doing
from oomlens.apply.actions import swap_file as making
from oomlens.apply.actions import zram_device as setting_up
from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine, Run
from oomlens.host.read.swap_header import header_of, names_in
from oomlens.host.write.swap_files import partial_of
from oomlens.model.plan import FileFact, Plan, Text
from oomlens.plan.actions import BY_NAME as ACTIONS
from oomlens.plan.actions import commands_of, undo_commands_of
from oomlens.plan.actions.swap_active import swap_off, swap_on
from oomlens.plan.actions.swap_file import no_swap_file, swap_file
from oomlens.plan.actions.zram_device import zram_device
from oomlens.plan.assemble import make_plan
from oomlens.plan.kinds.swap import propose
from oomlens.plan.swap.facts import Place, SwapFacts, SwapNow, SwapWish, ZramFacts
from oomlens.plan.zram_generator import with_section
from support.plans import apply_and_roll_back, run_shell, stopped_everywhere, tree_bytes
from support.swap_machine import FSTAB, PAGE, SwapMachine, swap_machine

MIB = 1 << 20
T = Text("a step")
TABLE = FileFact("/etc/fstab", FSTAB)


def facts_of(path: str, **values: object) -> SwapFacts:
    place = Place(
        path, real_folder="/srv", file_system="ext4", source="/dev/a", free_bytes=1 << 40, total_bytes=1 << 41
    )
    return SwapFacts(ram_bytes=4 << 30, available_bytes=2 << 30, place=place, fstab=TABLE, **values)  # type: ignore[arg-type]


def plan_of(wish: SwapWish, facts: SwapFacts) -> Plan:
    """As planned, without the checks of the running machine."""
    (plan,) = propose(wish, facts)
    assert isinstance(plan, Plan), plan
    return make_plan(Plan(plan.kind, plan.remedy, plan.target, plan.title, plan.steps))


def added(path: str = "/srv/swap", **wish: object) -> Plan:
    return plan_of(SwapWish(path=path, size_bytes=MIB, **wish), facts_of(path))  # type: ignore[arg-type]


@pytest.fixture
def machine(tmp_path: Path) -> SwapMachine:
    return swap_machine(tmp_path / "root")


def fresh_in(
    folder: Path, prepare: Callable[[SwapMachine], None] = lambda _: None
) -> Callable[[], tuple[Path, Path, Run]]:
    numbers = itertools.count()

    def fresh() -> tuple[Path, Path, Run]:
        number = next(numbers)
        made = swap_machine(folder / f"root{number}")
        prepare(made)
        return made.root, folder / f"state{number}", made.run

    return fresh


def engine_of(machine: SwapMachine, state: Path) -> Engine:
    return Engine(Machine(machine.root, machine.run), Journal(state))


def with_swap(machine: SwapMachine, name: str = "/srv/old") -> None:
    """A swap file that is on, and in fstab."""
    place = machine.root / name.lstrip("/")
    place.write_bytes(bytes(MIB))
    place.chmod(0o600)
    machine.run(["mkswap", str(place)])
    machine.run(["swapon", "-p", "3", str(place)])
    with (machine.root / "etc/fstab").open("ab") as file:
        file.write(b"/srv/old none swap sw,pri=3 0 0\n")


OLD = SwapNow("/srv/old", "file", MIB - PAGE, 0, 3, frozenset(("/srv/old",)), MIB)
OLD_TABLE = FileFact("/etc/fstab", FSTAB + b"/srv/old none swap sw,pri=3 0 0\n")


def removed() -> Plan:
    facts = SwapFacts(available_bytes=1 << 30, swaps=(OLD,), fstab=OLD_TABLE)
    return plan_of(SwapWish(remove="/srv/old"), facts)


def replaced() -> Plan:
    place = Place("/srv/old2", real_folder="/srv", free_bytes=1 << 40, total_bytes=1 << 41)
    facts = SwapFacts(ram_bytes=4 << 30, swaps=(OLD,), fstab=OLD_TABLE, place=place)
    return plan_of(SwapWish(grow="/srv/old", size_bytes=2 * MIB, replace=True), facts)


def test_a_swap_file_is_made_turned_on_kept_and_all_of_it_taken_back(machine: SwapMachine, tmp_path: Path) -> None:
    plan = added("/srv/my swap", priority=5)
    engine = engine_of(machine, tmp_path / "seen")
    done = engine.apply(plan)
    place = machine.root / "srv/my swap"
    assert (place.stat().st_size, place.stat().st_mode & 0o7777, place.stat().st_nlink) == (MIB, 0o600, 1)
    assert machine.swaps() == ["/srv/my swap"]
    assert (machine.root / "etc/fstab").read_bytes() == FSTAB + b"/srv/my\\040swap none swap sw,nofail,pri=5 0 0\n"
    assert done.application is not None
    assert engine.in_place(done.application) is True
    engine.rollback(done.application)
    apply_and_roll_back(plan, machine.root, tmp_path / "state", machine.run)


def test_the_seed_s_order_is_kept(machine: SwapMachine, tmp_path: Path) -> None:
    engine_of(machine, tmp_path).apply(added())
    assert machine.calls == [
        ["chattr", "+C", "/srv/.swap.oomlens-partial"],
        ["mkswap", "/srv/.swap.oomlens-partial"],
        ["swapon", "/srv/.swap.oomlens-partial"],  # the trial: does the kernel take it?
        ["swapoff", "/srv/.swap.oomlens-partial"],
        ["swapon", "/srv/swap"],
    ]


def test_a_file_whose_blocks_are_only_reserved_is_written_where_swapon_refuses_it(
    machine: SwapMachine, tmp_path: Path
) -> None:
    machine.refuse_reserved = True  # ext4 with 5.7 and 5.8, xfs before 4.18
    engine_of(machine, tmp_path).apply(added())
    assert machine.swaps() == ["/srv/swap"]
    assert [call[0] for call in machine.calls].count("mkswap") == 2


def test_what_the_kernel_does_not_take_leaves_nothing_behind(machine: SwapMachine, tmp_path: Path) -> None:
    before = tree_bytes(machine.root)
    machine.refuse_all = "swapon: /x: swapon failed: Operation not permitted"
    with pytest.raises(RefusedError) as refused:
        engine_of(machine, tmp_path).apply(added())
    assert "Operation not permitted" in str(refused.value.reasons[0].values["why"])
    assert [call[0] for call in machine.calls].count("mkswap") == 1  # writing it would not help, so it is not tried
    assert tree_bytes(machine.root) == before


@pytest.mark.parametrize("plan", [added(), added(until_reboot=True)], ids=["kept", "until-reboot"])
def test_stopped_anywhere_an_added_swap_is_finished_or_taken_back(plan: Plan, tmp_path: Path) -> None:
    assert stopped_everywhere(plan, fresh_in(tmp_path)) > 10


@pytest.mark.parametrize("plan", [removed(), replaced()], ids=["removed", "replaced"])
def test_stopped_anywhere_a_removed_or_replaced_swap_is_finished_or_taken_back(plan: Plan, tmp_path: Path) -> None:
    assert stopped_everywhere(plan, fresh_in(tmp_path, with_swap)) > 10


def test_a_removed_swap_comes_back_with_its_header_mode_and_priority(machine: SwapMachine, tmp_path: Path) -> None:
    with_swap(machine)
    header = header_of(machine.root / "srv/old")
    assert header is not None
    assert names_in(header) == ("01020304-0506-0708-090a-0b0c0d0e0f10", None)
    apply_and_roll_back(removed(), machine.root, tmp_path, machine.run)
    assert "\t3\n" in (machine.root / "proc/swaps").read_text(encoding="ascii")


def interruptions(name: str) -> list[int]:
    """How many calls of a program a whole run makes: it is stopped at each."""
    return list(range({"mkswap": 1, "swapon": 2, "swapoff": 1, "chattr": 1}[name]))


class Stopped(BaseException):
    """SIGKILL."""


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "number"), [(name, number) for name in ("chattr", "mkswap", "swapon", "swapoff") for number in interruptions(name)])  # fmt: skip
def test_killed_within_the_making_of_the_file_it_is_finished_or_taken_back(
    name: str, number: int, after: bool, machine: SwapMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree_bytes(machine.root)
    plain, seen = machine.run, [0]

    def run(words: list[str]) -> object:
        stop = words[0] == name and seen[0] == number
        seen[0] += words[0] == name
        if stop and not after:
            raise Stopped
        done = plain(words)
        if stop:
            raise Stopped
        return done

    # What is cleared on the way out of an exception is not cleared on a real kill.
    monkeypatch.setattr("oomlens.apply.actions.swap_file._clear_quietly", lambda *_: None)
    monkeypatch.setattr(machine, "run", run)
    with pytest.raises(Stopped):
        engine_of(machine, tmp_path).apply(added())
    monkeypatch.setattr(machine, "run", plain)
    engine = engine_of(machine, tmp_path)
    result = engine.apply(added())
    assert machine.swaps() == ["/srv/swap"]
    assert not partial_of(machine.root / "srv/swap").exists()
    assert result.application is not None
    engine.rollback(result.application)
    assert tree_bytes(machine.root) == before


def test_killed_between_its_two_names_it_keeps_one(machine: SwapMachine, tmp_path: Path) -> None:
    engine = engine_of(machine, tmp_path)
    step = added().steps[0]
    result = engine.apply(make_plan(Plan("swap", "add-swap", "x", T, (step,))))
    place = machine.root / "srv/swap"
    os.link(place, partial_of(place))  # as if it had been stopped there
    apart = Machine(machine.root, machine.run)
    assert not ACTIONS[step.action].reached(step, making.observe(step, apart))
    making.do(step, {"present": False}, apart)
    assert ACTIONS[step.action].reached(step, making.observe(step, apart))
    assert place.stat().st_nlink == 1
    assert result.application is not None


def test_something_else_at_the_path_is_refused_and_stays(machine: SwapMachine, tmp_path: Path) -> None:
    (machine.root / "srv/swap").write_bytes(b"somebody's data")
    with pytest.raises(RefusedError):
        engine_of(machine, tmp_path).apply(added())
    assert (machine.root / "srv/swap").read_bytes() == b"somebody's data"


def test_a_link_at_the_path_or_above_it_is_not_followed(machine: SwapMachine, tmp_path: Path) -> None:
    (machine.root / "srv/swap").symlink_to("/etc/fstab")
    with pytest.raises(RefusedError):
        engine_of(machine, tmp_path / "a").apply(added())
    (machine.root / "srv/swap").unlink()
    (machine.root / "srv/.swap.oomlens-partial").symlink_to(machine.root / "etc/fstab")
    with pytest.raises(RefusedError):
        engine_of(machine, tmp_path / "b").apply(added())
    assert (machine.root / "etc/fstab").read_bytes() == FSTAB


def test_a_changed_swap_file_is_not_taken_back(machine: SwapMachine, tmp_path: Path) -> None:
    engine = engine_of(machine, tmp_path)
    done = engine.apply(added(until_reboot=True))
    machine.run(["swapoff", str(machine.root / "srv/swap")])
    (machine.root / "srv/swap").write_bytes(b"reused for something else")
    assert done.application is not None
    with pytest.raises(RefusedError):
        engine.rollback(done.application)
    assert (machine.root / "srv/swap").read_bytes() == b"reused for something else"


def test_it_is_not_turned_off_where_the_ram_cannot_take_what_it_holds(tmp_path: Path) -> None:
    machine = swap_machine(tmp_path / "root", meminfo_kb=600)
    machine.used_kb = 700
    engine = engine_of(machine, tmp_path / "state")
    done = engine.apply(added())
    before = tree_bytes(machine.root)
    assert done.application is not None
    with pytest.raises(RefusedError) as refused:
        engine.rollback(done.application)
    assert refused.value.reasons[0].values == {
        "swap": "/srv/swap",
        "used_bytes": 700 * 1024,
        "available_bytes": 600 * 1024,
    }
    assert tree_bytes(machine.root) == before  # nothing was taken back by half
    (machine.root / "proc/meminfo").write_text("MemAvailable: 800 kB\n", encoding="ascii")
    engine.rollback(done.application)
    assert machine.swaps() == []


@pytest.mark.parametrize(
    ("current_kb", "cache_kb", "swapped_kb", "refused"),
    [(900, 0, 200, True), (900, 0, 124, False), (1000, 300, 200, False), (1000, 0, 0, False)],
)
def test_it_is_not_turned_off_where_a_cgroup_would_be_killed(
    current_kb: int, cache_kb: int, swapped_kb: int, refused: bool, machine: SwapMachine
) -> None:
    """A limit of 1024 kB: what is charged, less the cache it can drop, and what comes back from swap."""
    root = machine.root / "sys/fs/cgroup"
    for path, names in (("", ("cgroup.controllers",)), ("app", ())):
        (root / path).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / path / name).write_text("memory\n", encoding="ascii")
    values = {
        "memory.current": current_kb * 1024, "memory.max": MIB, "memory.swap.current": swapped_kb * 1024,
        "memory.stat": f"active_file {cache_kb * 512}\ninactive_file {cache_kb * 512}",
    }  # fmt: skip
    for name, value in values.items():
        (root / "app" / name).write_text(f"{value}\n", encoding="ascii")
    machine.used_kb = 500
    step = swap_on("/srv/swap", T)
    (machine.root / "srv/swap").write_bytes(bytes(MIB))
    machine.run(["swapon", str(machine.root / "srv/swap")])
    problem = doing.obstacle(step, {"on": False}, Machine(machine.root, machine.run))
    assert (problem is not None) is refused
    if problem is not None:
        assert problem.values["cgroup"] == "/app"
        assert problem.values["over_bytes"] == (current_kb + swapped_kb - 1024) * 1024


def test_other_swap_with_room_takes_what_it_holds(machine: SwapMachine) -> None:
    (machine.root / "proc/meminfo").write_text("MemAvailable: 10 kB\n", encoding="ascii")
    lines = "Filename Type Size Used Priority\n/a file 1000 500 -2\n"
    (machine.root / "proc/swaps").write_text(lines, encoding="ascii")
    here, step = Machine(machine.root, machine.run), swap_off("/a", T)
    off = swap_on("/a", T)
    assert doing.obstacle(off, {"on": False}, here) is not None
    (machine.root / "proc/swaps").write_text(lines + "/b file 1000 400 -3\n", encoding="ascii")
    assert doing.obstacle(off, {"on": False}, here) is None
    assert doing.obstacle(step, {"on": True, "priority": -2}, here) is None


def test_a_swapon_without_priorities_is_helped_by_the_system_call(
    machine: SwapMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.busybox = True
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(doing, "swap_on", lambda place, priority: asked.append((place, priority)))
    doing.do(swap_on("/srv/swap", T, priority=7), {"on": False}, Machine(machine.root, machine.run))
    assert asked == [(machine.root / "srv/swap", 7)]


def test_priorities_below_zero_are_the_kernel_s_and_may_move() -> None:
    assert doing.same({"on": True, "priority": -2}, {"on": True, "priority": -3})
    assert not doing.same({"on": True, "priority": 5}, {"on": True, "priority": 6})
    assert not doing.same({"on": True, "priority": 5}, {"on": False})


def zram_plan(**facts: object) -> Plan:
    return plan_of(SwapWish(zram=True, size_bytes=MIB), SwapFacts(ram_bytes=4 << 30, systemd=True, **facts))  # type: ignore[arg-type]


def test_a_zram_device_is_set_up_from_the_module_on(machine: SwapMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    step = zram_device("zram0", MIB, T, algorithm="zstd", limit_bytes=4096)
    here = Machine(machine.root, machine.run)
    (machine.root / "dev/zram0").write_bytes(bytes(MIB))
    before = setting_up.observe(step, here)
    assert before == {"loaded": False, "disk_bytes": 0, "algorithm": None, "swap": False}
    setting_up.do(step, before, here)
    block = machine.root / "sys/block/zram0"
    written = {
        name: (block / name).read_text(encoding="ascii").split("\n")[0]
        for name in ("comp_algorithm", "disksize", "mem_limit")
    }
    assert written["disksize"] == str(MIB)
    assert written["mem_limit"] == "4096"
    assert written["comp_algorithm"].startswith("zstd")
    assert ACTIONS[step.action].reached(step, setting_up.observe(step, here))
    monkeypatch.setattr(setting_up, "_algorithm", lambda *_: "lzo")
    setting_up.undo(step, before, here)
    assert (block / "reset").read_text(encoding="ascii").strip() == "1"
    assert ["modprobe", "-r", "zram"] in machine.calls


def test_zram_generator_s_way_is_taken_back_whole(machine: SwapMachine, tmp_path: Path) -> None:
    (machine.root / "etc/systemd").mkdir()
    text = b"# mine\n[zram1]\nzram-size = 10\n"
    (machine.root / "etc/systemd/zram-generator.conf").write_bytes(text)
    fact = FileFact("/etc/systemd/zram-generator.conf", text)
    plan = zram_plan(zram=ZramFacts(generator=True, generator_file=fact))
    (machine.root / "dev/zram0").write_bytes(bytes(PAGE))
    apply_and_roll_back(plan, machine.root, tmp_path, machine.run)


def test_zram_generator_itself_understands_the_section(tmp_path: Path) -> None:
    programs = [Path(folder) / "systemd/system-generators/zram-generator" for folder in ("/usr/lib", "/lib")]
    program = next((str(place) for place in programs if place.exists()), None)
    if program is None:
        pytest.skip("zram-generator is not installed")
    for name, content in {
        "proc/meminfo": b"MemTotal: 4000000 kB\n",
        "proc/cmdline": b"",
        "etc/systemd/zram-generator.conf": with_section(
            b"", "zram0", {"zram-size": "min(ram / 2, 4096)", "swap-priority": "100"}
        ),
    }.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(content)
    (tmp_path / "out").mkdir()
    environment = {"ZRAM_GENERATOR_ROOT": str(tmp_path / "root"), "PATH": os.environ["PATH"]}
    subprocess.run([program, str(tmp_path / "out")], check=True, env=environment, capture_output=True)
    assert "Priority=100" in (tmp_path / "out/dev-zram0.swap").read_text(encoding="utf-8")


def test_the_unit_for_zram_is_one_that_systemd_and_the_shell_understand(tmp_path: Path) -> None:
    unit = next(step for step in zram_plan().steps if step.action == "edit-file")
    text = str(unit.parameters["edits"][0]["new"])
    start = re.search(r"^ExecStart=/bin/sh -ec '(.*)'$", text, re.MULTILINE)
    assert start is not None
    run = subprocess.run(
        ["sh", "-n", "-ec", start[1].replace("$$", "$").replace("%%", "%")], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert "swapon -p 100 /dev/zram0" in start[1]
    place = tmp_path / "oomlens-zram.service"
    place.write_text(text, encoding="utf-8")
    try:
        verified = subprocess.run(
            ["systemd-analyze", "verify", str(place)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not installed")
    assert place.name not in verified.stderr


def test_the_shell_that_is_shown_makes_such_a_file_too(tmp_path: Path) -> None:
    for name in ("mkswap", "fallocate", "chattr"):
        if not any((Path(folder) / name).exists() for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin")):
            pytest.skip(f"{name} is not installed")
    step = swap_file("/a b/swap", MIB, T)
    (tmp_path / "a b").mkdir()
    script = "\n".join(["set -eu", *(re.sub(r"^sudo ", "", line) for line in commands_of(step, str(tmp_path)))])
    run_shell(f"PATH=$PATH:/usr/sbin:/sbin\n{script}")
    place = tmp_path / "a b/swap"
    assert place.stat().st_mode & 0o7777 == 0o600
    header = header_of(place)
    assert header is not None
    run_shell("\n".join(line.removeprefix("sudo ") for line in undo_commands_of(step, str(tmp_path))))
    assert not place.exists()


def test_the_shell_of_the_other_steps_is_one_line_each_and_quoted() -> None:
    assert commands_of(swap_on("/a b", T, priority=3)) == ("sudo swapon -p 3 '/a b'",)
    assert undo_commands_of(swap_on("/a b", T, priority=3)) == ("sudo swapoff '/a b'",)
    assert commands_of(swap_off("/a;rm -rf x", T)) == ("sudo swapoff '/a;rm -rf x'",)
    assert undo_commands_of(swap_off("/a", T, priority=-2)) == ("sudo swapon /a",)
    assert commands_of(no_swap_file("/a", MIB, T)) == ("sudo rm /a",)
