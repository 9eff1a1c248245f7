"""Limits of a systemd unit on a machine of files: sized, set, kept, and taken back to the byte."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine, Run
from oomlens.cli.main import main
from oomlens.host.read.reader import Reader
from oomlens.host.read.unit_facts import read_unit
from oomlens.model.plan import Plan, Refusal, Safety
from oomlens.plan.kinds.limit_unit import propose
from oomlens.plan.units.limit_wish import LimitWish
from oomlens.plan.units.promised import promised_bytes
from support.fake_machine import FakeMachine, fake_machine, write
from support.fake_systemd import FakeSystemd
from support.plans import apply_and_roll_back, run_shell, shell_of, stopped_everywhere, tree_bytes

MIB = 1 << 20
UNIT = "db.service"
GROUP = "/system.slice/db.service"


def make_machine(folder: Path, **files: str | int) -> FakeMachine:
    machine = fake_machine(folder)
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2("/system.slice")
    values: dict[str, str | int] = {
        "memory_max": 200 * MIB,
        "memory_current": 190 * MIB,
        "memory_peak": 200 * MIB,
        **files,
    }
    machine.add_v2(GROUP, **values)
    write(machine.cgroup / GROUP.strip("/") / "memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n")
    machine.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    machine.add_process(50, b"postgres", anon_kb=150_000, cgroup=f"0::{GROUP}")
    root = machine.proc.parent
    write(root / f"usr/lib/systemd/system/{UNIT}", "[Service]\nExecStart=/bin/db\nMemoryMax=200M\n")
    return machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_machine(tmp_path / "root").proc.parent


def systemd_of(root: Path) -> FakeSystemd:
    return FakeSystemd(root, {UNIT: GROUP})


def planned(root: Path, **wish: object) -> Plan | Refusal:
    reader = Reader(root, systemd_of(root))
    facts = read_unit(reader, UNIT)
    promised = promised_bytes(reader.snapshot.cgroups, GROUP)
    (found,) = propose(LimitWish(UNIT, promised_bytes=promised, **wish), facts)  # type: ignore[arg-type]
    return found


def a_plan(root: Path, **wish: object) -> Plan:
    found = planned(root, **wish)
    assert isinstance(found, Plan), found
    return found


def kernel(root: Path, name: str) -> str:
    return (root / f"sys/fs/cgroup{GROUP}/{name}").read_text(encoding="ascii").strip()


def test_the_limit_that_was_hit_is_a_lower_bound(root: Path) -> None:
    plan = a_plan(root)
    # max(1.25 * 200, 200 + 100) = 300 MiB, rounded up to 16 MiB steps: 304 MiB.
    assert plan.argv == ("limit", "unit", UNIT, "--max", "304M")
    assert plan.cost_bytes == 104 * MIB
    assert plan.safety is Safety.SAFE
    assert plan.watch.cgroups == (GROUP,)


def test_after_the_third_kill_it_is_called_a_leak(root: Path) -> None:
    write(root / f"sys/fs/cgroup{GROUP}/memory.events", "oom_kill 4\n")
    found = planned(root)
    assert isinstance(found, Refusal)
    assert found.code == "leak"
    assert isinstance(planned(root, max_bytes=300 * MIB), Plan)  # whoever says how much may have it


def test_a_unit_that_its_limit_killed_for_good_is_sized_from_its_files(root: Path) -> None:
    shutil.rmtree(root / f"sys/fs/cgroup{GROUP}")
    systemd = FakeSystemd(root, {})
    systemd.results[UNIT] = "oom-kill"
    (plan,) = propose(LimitWish(UNIT), read_unit(Reader(root, systemd), UNIT))
    assert isinstance(plan, Plan)
    # MemoryMax=200M of the unit file, one kill: max(1.25 * 200, 200 + 100) = 300 MiB, up to 304.
    assert plan.argv == ("limit", "unit", UNIT, "--max", "304M")
    systemd.results[UNIT] = "exit-code"
    (refusal,) = propose(LimitWish(UNIT), read_unit(Reader(root, systemd), UNIT))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "no-usage"


def test_a_limit_that_was_not_reached_is_not_lowered(root: Path) -> None:
    group = root / f"sys/fs/cgroup{GROUP}"
    write(group / "memory.peak", f"{30 * MIB}\n")  # it was just started again
    write(group / "memory.events", "oom_kill 0\n")
    found = planned(root)
    assert isinstance(found, Refusal)
    assert found.code == "enough"
    write(group / "memory.max", "max\n")
    write(group / "memory.current", f"{25 * MIB}\n")
    plan = a_plan(root)
    # Without a limit the peak is not cut off: 1.15 * 30 MiB = 34.5, in steps of 16 MiB 48.
    assert plan.arithmetic[0].value == 48 * MIB


def test_never_above_what_others_left(root: Path) -> None:
    other = root / "sys/fs/cgroup/system.slice/other.service"
    write(other / "memory.max", f"{700 * MIB}\n")
    write(other / "memory.current", "0\n")
    plan = a_plan(root)
    # 1000000 kB of RAM - 700 MiB promised to the other unit.
    assert plan.arithmetic[-1].value == 1_000_000 * 1024 - 700 * MIB


@pytest.mark.parametrize("release", [252, 257])
def test_applied_it_acts_and_lasts_and_comes_back_to_the_byte(root: Path, tmp_path: Path, release: int) -> None:
    plan = a_plan(root, max_bytes=400 * MIB, high_bytes=360 * MIB)
    machine = Machine(root, FakeSystemd(root, {UNIT: GROUP}, release))
    engine = Engine(machine, Journal(tmp_path / "state"))
    before = tree_bytes(root)
    application = engine.apply(plan).application
    assert application is not None
    assert (kernel(root, "memory.max"), kernel(root, "memory.high")) == (str(400 * MIB), str(360 * MIB))
    dropin = root / f"etc/systemd/system/{UNIT}.d/50-oomlens.conf"
    assert dropin.read_text(encoding="utf-8").splitlines()[1:] == ["[Service]", "MemoryMax=400M", "MemoryHigh=360M"]
    engine.rollback(application)
    assert tree_bytes(root) == before
    assert kernel(root, "memory.max") == str(200 * MIB)
    apply_and_roll_back(plan, root, tmp_path / "state2", systemd_of(root))


def test_stopped_anywhere_it_is_ended_or_taken_back(tmp_path: Path) -> None:
    numbers = itertools.count()

    def fresh() -> tuple[Path, Path, Run | None]:
        folder = tmp_path / str(next(numbers))
        root = make_machine(folder / "root").proc.parent
        return root, folder / "state", systemd_of(root)

    first = fresh()[0]
    assert stopped_everywhere(a_plan(first, max_bytes=400 * MIB), fresh) > 10


def test_an_earlier_runtime_limit_comes_back(root: Path, tmp_path: Path) -> None:
    systemd = systemd_of(root)
    systemd(["systemctl", "set-property", "--runtime", UNIT, f"MemoryMax={250 * MIB}"])
    before = tree_bytes(root)
    apply_and_roll_back(a_plan(root, max_bytes=400 * MIB), root, tmp_path / "state", systemd)
    assert tree_bytes(root) == before
    assert kernel(root, "memory.max") == str(250 * MIB)


def test_below_its_usage_it_is_refused_and_looked_at_again_before_it_is_done(root: Path, tmp_path: Path) -> None:
    found = planned(root, max_bytes=100 * MIB)
    assert isinstance(found, Refusal)
    assert found.code == "below-usage"
    plan = a_plan(root, max_bytes=195 * MIB)
    write(root / f"sys/fs/cgroup{GROUP}/memory.current", f"{196 * MIB}\n")
    with pytest.raises(RefusedError) as refused:
        Engine(Machine(root, systemd_of(root)), Journal(tmp_path / "state")).apply(plan)
    assert "would be killed" in refused.value.reasons[0].text
    meant = a_plan(root, max_bytes=100 * MIB, even_below_usage=True)
    assert meant.safety is Safety.DISRUPTIVE
    assert meant.argv[-1] == "--even-below-usage"
    assert not Engine(Machine(root, systemd_of(root)), Journal(tmp_path / "state")).apply(meant).changed  # not allowed


@pytest.mark.parametrize("release", [252, 257])
@pytest.mark.parametrize("running", [True, False])
def test_taking_it_back_is_refused_where_that_would_kill(
    root: Path, tmp_path: Path, running: bool, release: int
) -> None:
    systemd = FakeSystemd(root, {UNIT: GROUP}, release)
    if not running:  # planned while the unit was dead, and so only systemd knows its limit
        systemd.groups.clear()
    reader = Reader(root, systemd)
    (plan,) = propose(LimitWish(UNIT, max_bytes=400 * MIB), read_unit(reader, UNIT))
    assert isinstance(plan, Plan)
    engine = Engine(Machine(root, systemd), Journal(tmp_path / "state"))
    application = engine.apply(plan).application
    assert application is not None
    systemd.groups[UNIT] = GROUP
    systemd._realize(UNIT)  # it starts
    write(root / f"sys/fs/cgroup{GROUP}/memory.current", f"{300 * MIB}\n")
    with pytest.raises(RefusedError) as refused:
        engine.rollback(application)
    assert "it would be killed; stop it first" in refused.value.reasons[0].text
    assert kernel(root, "memory.max") == str(400 * MIB)
    write(root / f"sys/fs/cgroup{GROUP}/memory.current", "0\n")
    engine.rollback(application)
    assert kernel(root, "memory.max") == str(200 * MIB)


def test_a_limit_that_only_the_kernel_has_is_put_back_there(root: Path, tmp_path: Path) -> None:
    write(root / f"sys/fs/cgroup{GROUP}/memory.max", f"{333 * MIB}\n")
    plan = a_plan(root, max_bytes=200 * MIB)  # systemd says so already, and the kernel does not
    engine = Engine(Machine(root, systemd_of(root)), Journal(tmp_path / "state"))
    application = engine.apply(plan).application
    assert application is not None
    assert kernel(root, "memory.max") == str(200 * MIB)
    engine.rollback(application)
    assert kernel(root, "memory.max") == str(333 * MIB)


def test_a_tighter_limit_above_is_named(tmp_path: Path) -> None:
    machine = make_machine(tmp_path / "root")
    machine.add_v2("/system.slice", memory_max=250 * MIB)
    plan = a_plan(machine.proc.parent, max_bytes=400 * MIB)
    assert {"path": "/system.slice", "limit_bytes": 250 * MIB, "above": "system.slice"} in [
        text.values for text in plan.warnings
    ]


def test_what_protects_needs_every_slice_above(root: Path) -> None:
    write(root / "sys/fs/cgroup/system.slice/memory.low", f"{10 * MIB}\n")
    (text,) = a_plan(root, low_bytes=64 * MIB).warnings
    assert text.values["has_bytes"] == 10 * MIB
    assert text.values["command"] == "oomlens plan limit unit system.slice --low 64M"
    write(root / "sys/fs/cgroup/system.slice/memory.low", "max\n")
    assert a_plan(root, low_bytes=64 * MIB).warnings == ()


def test_other_names_masks_templates_and_all_whose_names_begin_so(tmp_path: Path) -> None:
    machine = make_machine(tmp_path / "root")
    root, units = machine.proc.parent, machine.proc.parent / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "database.service").symlink_to(f"/usr/lib/systemd/system/{UNIT}")
    (units / "hidden.service").symlink_to("/dev/null")
    write(root / "usr/lib/systemd/system/hidden.service", "[Service]\nExecStart=/bin/x\n")
    write(root / "usr/lib/systemd/system/job@.service", "[Service]\nExecStart=/bin/job\n")
    for name in ("job@1", "job@2", "joba"):
        machine.add_v2(f"/system.slice/{name}.service", memory_current=50 * MIB)
    machine.add_v2("/user.slice/user-1000.slice", memory_current=70 * MIB)
    groups = {f"job@{number}.service": f"/system.slice/job@{number}.service" for number in (1, 2)}
    reader = Reader(root, FakeSystemd(root, {**groups, "user-1000.slice": "/user.slice/user-1000.slice"}))

    def of(name: str, **wish: int) -> Plan | Refusal:
        facts = read_unit(reader, name)
        (found,) = propose(LimitWish(facts.name, **wish), facts)  # type: ignore[arg-type]
        return found

    other = of("database.service", max_bytes=400 * MIB)
    assert isinstance(other, Plan)
    assert other.target == UNIT
    assert other.steps[-2].target == f"/etc/systemd/system/{UNIT}.d/50-oomlens.conf"
    masked = of("hidden.service", max_bytes=400 * MIB)
    assert isinstance(masked, Refusal)
    assert masked.code == "masked"
    template = of("job@.service", max_bytes=60 * MIB)
    assert isinstance(template, Plan)
    assert [step.target for step in template.steps[:3]] == [
        "job@1.service MemoryMax", "job@2.service MemoryMax", "/etc/systemd/system/job@.service.d/50-oomlens.conf",
    ]  # fmt: skip
    too_little = of("user-.slice", max_bytes=60 * MIB)
    assert isinstance(too_little, Refusal)
    assert too_little.code == "below-usage"
    assert isinstance(of("user-.slice", max_bytes=80 * MIB), Plan)


def test_a_containers_scope_is_its_engines(tmp_path: Path) -> None:
    machine = make_machine(tmp_path / "root")
    name = f"docker-{'c0ffee' + '0' * 58}.scope"
    machine.add_v2(f"/system.slice/{name}", memory_current=MIB)
    reader = Reader(machine.proc.parent, FakeSystemd(machine.proc.parent, {name: f"/system.slice/{name}"}))
    (plan,) = propose(LimitWish(name, max_bytes=80 * MIB), read_unit(reader, name))
    assert isinstance(plan, Plan)
    assert [step.action for step in plan.steps] == ["unit-property"]  # it has no file
    assert "oomlens plan limit container c0ffee000000" in [text.values.get("command") for text in plan.warnings]


def test_a_users_unit_is_for_that_user_and_its_name_is_quoted(tmp_path: Path) -> None:
    machine = make_machine(tmp_path / "root")
    name = r"app-a\x2db.service"
    machine.add_v2(f"/user.slice/user-1000.slice/user@1000.service/app.slice/{name}", memory_current=MIB)
    reader = Reader(machine.proc.parent)
    (plan,) = propose(LimitWish(name, max_bytes=80 * MIB), read_unit(reader, name))
    assert isinstance(plan, Plan)
    assert plan.safety is Safety.MANUAL
    commands = plan.steps[0].parameters["commands"]
    assert commands[0] == f"install -D -m 0644 /dev/stdin ~/.config/systemd/user/'{name}.d'/50-oomlens.conf <<'EOF'"
    assert commands[-1] == f"systemctl --user set-property --runtime '{name}' MemoryMax={80 * MIB}"


def test_cgroup_v1_takes_the_limit_and_says_what_does_nothing(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path / "root")
    write(machine.proc / "self/mountinfo", "31 1 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
    machine.add_v1("/")
    machine.add_v1("/system.slice")
    machine.add_v1(GROUP, limit_in_bytes=200 * MIB, usage_in_bytes=150 * MIB)
    root = machine.proc.parent
    write(root / f"usr/lib/systemd/system/{UNIT}", "[Service]\nExecStart=/bin/db\nMemoryMax=200M\n")
    systemd = FakeSystemd(root, {UNIT: GROUP})
    (plan,) = propose(LimitWish(UNIT, max_bytes=300 * MIB, swap_max_bytes=0), read_unit(Reader(root, systemd), UNIT))
    assert isinstance(plan, Plan)
    assert "MemorySwapMax" in [text.values.get("keys") for text in plan.warnings]
    place = root / f"sys/fs/cgroup/memory{GROUP}/memory.limit_in_bytes"
    assert plan.steps[0].parameters["cgroup_file"] == f"/sys/fs/cgroup/memory{GROUP}/memory.limit_in_bytes"
    engine = Engine(Machine(root, systemd), Journal(tmp_path / "state"))
    application = engine.apply(plan).application
    assert application is not None
    assert place.read_text(encoding="ascii") == f"{300 * MIB}\n"
    engine.rollback(application)
    assert place.read_text(encoding="ascii") == f"{200 * MIB}\n"


def test_policy_acts_at_once_in_the_kernel_too_and_a_score_from_the_next_start(root: Path, tmp_path: Path) -> None:
    group = root / f"sys/fs/cgroup{GROUP}/memory.oom.group"
    write(group, "0\n")
    whole = a_plan(root, oom_policy="kill")
    assert [step.action for step in whole.steps] == ["set-value", "edit-file", "run-program"]
    assert whole.steps[1].effect.value == "now"
    application = apply_and_roll_back(whole, root, tmp_path / "state", systemd_of(root))
    assert application.steps[whole.steps[0].id].before == {"value": "0"}
    engine = Engine(Machine(root, systemd_of(root)), Journal(tmp_path / "state"))
    again = engine.apply(whole).application
    shutil.rmtree(group.parent)  # it was stopped
    assert again is not None
    engine.rollback(again)
    assert not (root / "etc/systemd/system").exists()
    plan = a_plan(root, oom_policy="kill", oom_score_adj=-500)
    assert [step.action for step in plan.steps] == ["edit-file", "run-program"]
    assert plan.steps[0].effect.value == "after-restart"
    assert "OOMPolicy=kill\nOOMScoreAdjust=-500\n" in plan.steps[0].parameters["edits"][0]["new"]


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"oom_policy": "maybe"}, "oom-policy"),
        ({"oom_score_adj": -2000}, "oom-score-adj"),
        ({"max_bytes": 0}, "zero"),
        ({"max_bytes": 300 * MIB, "high_bytes": 400 * MIB}, "high-above-max"),
    ],
)
def test_values_that_systemd_would_ignore_are_refused(root: Path, wish: dict[str, object], code: str) -> None:
    found = planned(root, **wish)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_the_shown_shell_writes_the_same_dropin(root: Path, tmp_path: Path) -> None:
    plan = a_plan(root, max_bytes=400 * MIB)
    before = tree_bytes(root)
    run_shell(shell_of(plan, str(root)))
    shown = (root / f"etc/systemd/system/{UNIT}.d/50-oomlens.conf").read_bytes()
    run_shell(shell_of(plan, str(root), undo=True))
    engine = Engine(Machine(root, systemd_of(root)), Journal(tmp_path / "state"))
    engine.apply(plan)
    assert (root / f"etc/systemd/system/{UNIT}.d/50-oomlens.conf").read_bytes() == shown
    assert before.keys() <= tree_bytes(root).keys()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_as_a_person_types_it(root: Path, capsys: pytest.CaptureFixture[str], language: str) -> None:
    code = main(["plan", "limit", "unit", "db", "--max", "1G", "--root", str(root), "--lang", language])
    out, _ = capsys.readouterr()
    assert code == 0
    assert "+MemoryMax=1G" in out
    code = main(["plan", "limit", "unit", "no\x1b[2J", "--root", str(root), "--lang", language])
    _, err = capsys.readouterr()
    assert code == 1
    assert "\x1b" not in err
