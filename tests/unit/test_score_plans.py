"""`protect` and `sacrifice` on a machine of files: who is changed, who would die instead, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.host.read.reader import Reader
from oomlens.host.read.score_facts import read_score_facts
from oomlens.host.read.yaml_places import read_yaml
from oomlens.model.plan import Check, FileFact, Plan, Proposal, Refusal
from oomlens.plan.containers.facts import ComposeFile
from oomlens.plan.kinds.score import propose
from oomlens.plan.score.facts import Member, ScoreFacts, ScoreWish
from support.fake_machine import FakeMachine, fake_machine, write
from support.fake_systemd import FakeSystemd
from support.plans import apply_and_roll_back

GROUP = "/system.slice/db.service"
POD = "0f1e2d3c_1111_2222_3333_444455556666"
CONTAINER = "c0ffee" + "0" * 58


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path / "root")
    write(found.cgroup / "cgroup.controllers", "memory\n")
    found.add_v2(GROUP)
    found.add_v2(f"/system.slice/docker-{CONTAINER}.scope")
    found.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    found.add_process(50, b"postgres", ppid=1, anon_kb=50_000, cgroup=f"0::{GROUP}", start_ticks=500)
    found.add_process(51, b"postgres", ppid=50, anon_kb=150_000, cgroup=f"0::{GROUP}", start_ticks=600)
    found.add_process(60, b"sh) 1 2 (", anon_kb=90_000, start_ticks=700)
    found.add_process(70, b"app", anon_kb=9000, adj=50, cgroup=f"0::/system.slice/docker-{CONTAINER}.scope")
    write(found.proc.parent / "usr/lib/systemd/system/db.service", "[Service]\nExecStart=/bin/db\n")
    return found


def proposal(machine: FakeMachine, kind: str, target: str, adj: int | None = None) -> Proposal:
    root = machine.proc.parent
    reader = Reader(root, FakeSystemd(root, {"db.service": GROUP}))
    wish = ScoreWish(kind, target, adj)
    (found,) = propose(wish, read_score_facts(reader, target, wish.wanted))
    return found


def planned(machine: FakeMachine, kind: str, target: str, adj: int | None = None) -> Plan:
    found = proposal(machine, kind, target, adj)
    assert isinstance(found, Plan), found
    return found


def paths(plan: Plan) -> list[str]:
    return [str(step.parameters.get("path", step.action)) for step in plan.steps]


def test_the_postmaster_is_protected_and_its_backends_are_not(machine: FakeMachine) -> None:
    plan = planned(machine, "protect", "db.service")
    dropin = "/etc/systemd/system/db.service.d/50-oomlens.conf"
    assert paths(plan) == ["/proc/50/oom_score_adj", dropin, "run-program"]
    text = plan.steps[1].parameters["edits"][0]["new"]
    assert "OOMScoreAdjust=-500\n" in text
    assert 'Environment="PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj"\n' in text
    assert 'Environment="PG_OOM_ADJUST_VALUE=0"\n' in text
    assert plan.steps[1].effect.value == "after-restart"
    assert Check("capability", "CAP_SYS_RESOURCE") in plan.preconditions


def test_an_innocent_that_would_die_instead_is_named(machine: FakeMachine) -> None:
    plan = planned(machine, "protect", "51")
    (text,) = [text for text in plan.warnings if "innocent" in text.text]
    assert (text.values["pid"], text.values["held_bytes"]) == (60, 90_000 * 1024)
    assert [term.value for term in plan.arithmetic] == ["postgres[51]", "sh) 1 2 ([60]"]


def test_a_protection_that_changes_nothing_says_nothing_of_others(machine: FakeMachine) -> None:
    assert not [text for text in planned(machine, "protect", "60", -100).warnings if "instead" in text.text]


def test_sacrifice_needs_no_capability_and_comes_back(machine: FakeMachine, tmp_path: Path) -> None:
    plan = planned(machine, "sacrifice", "60")
    assert [check.kind for check in plan.preconditions] == []
    root = machine.proc.parent
    application = apply_and_roll_back(plan, root, tmp_path / "state", FakeSystemd(root, {}))
    assert application.steps[plan.steps[0].id].before == {"value": "0"}


def test_applied_to_a_unit_it_comes_back_to_the_byte(machine: FakeMachine, tmp_path: Path) -> None:
    root = machine.proc.parent
    plan = planned(machine, "sacrifice", "db.service", 300)
    assert [path for path in paths(plan) if "oom_score_adj" in path] == ["/proc/51/oom_score_adj", "/proc/50/oom_score_adj"]  # fmt: skip
    apply_and_roll_back(plan, root, tmp_path / "state", FakeSystemd(root, {"db.service": GROUP}))


def test_a_container_is_changed_now_and_its_next_one_by_hand(machine: FakeMachine) -> None:
    plan = planned(machine, "protect", "c0ffee", -300)
    assert paths(plan) == ["/proc/70/oom_score_adj", "by-hand"]
    assert plan.safety.value == "safe"
    assert "docker run --oom-score-adj=-300 …" in plan.steps[1].parameters["commands"]


def test_a_critical_process_is_not_sacrificed_without_a_word(machine: FakeMachine) -> None:
    (text,) = [text for text in planned(machine, "sacrifice", "db.service").warnings if "critical" in text.text]
    assert text.values == {"comm": "postgres", "role": "database"}
    assert not [text for text in planned(machine, "sacrifice", "60").warnings if "critical" in text.text]


@pytest.mark.parametrize("listener", [-1000, None])
def test_sshd_protects_itself_and_a_score_of_its_unit_would_go_to_every_session(
    machine: FakeMachine, listener: int | None
) -> None:
    root, group = machine.proc.parent, "/system.slice/ssh.service"
    write(root / "usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
    if listener is not None:
        machine.add_v2(group)
        machine.add_process(95, b"sshd", adj=listener, anon_kb=900, cgroup=f"0::{group}", start_ticks=9)
    found = proposal(machine, "protect", "ssh.service")
    assert isinstance(found, Refusal)
    assert found.code == "ssh"


def test_an_sshd_that_lost_its_protection_gets_it_back_without_its_unit(machine: FakeMachine) -> None:
    group = "/system.slice/ssh.service"
    machine.add_v2(group)
    machine.add_process(95, b"sshd", anon_kb=900, cgroup=f"0::{group}", start_ticks=9)
    write(machine.proc.parent / "usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
    assert paths(planned(machine, "protect", "ssh.service")) == ["/proc/95/oom_score_adj"]


def test_a_postgres_that_does_not_run_is_known_by_its_unit(machine: FakeMachine) -> None:
    write(
        machine.proc.parent / "usr/lib/systemd/system/pg.service",
        "[Service]\nExecStart=/usr/bin/pg_ctlcluster 15 main start\n",
    )
    plan = planned(machine, "protect", "pg.service")
    assert "PG_OOM_ADJUST_VALUE=0" in plan.steps[0].parameters["edits"][0]["new"]


def test_a_name_that_is_a_trap_is_quoted(machine: FakeMachine) -> None:
    plan = planned(machine, "protect", "60")
    assert plan.steps[-1].parameters["commands"] == ["choom -n -500 -- 'sh) 1 2 (' …"]


def test_a_unit_that_does_not_run_gets_its_dropin_alone(machine: FakeMachine) -> None:
    write(machine.proc.parent / "usr/lib/systemd/system/idle.service", "[Service]\nExecStart=/bin/x\n")
    assert paths(planned(machine, "sacrifice", "idle"))[0] == "/etc/systemd/system/idle.service.d/50-oomlens.conf"


@pytest.mark.parametrize(
    ("target", "adj", "code"),
    [
        ("51", -1000, "never"),
        ("1", -500, "init"),
        ("51", 2000, "adj"),
        ("99", None, "no-target"),
        ("nothing", None, "no-target"),
    ],
)
def test_what_should_not_be_done_is_refused(machine: FakeMachine, target: str, adj: int | None, code: str) -> None:
    found = proposal(machine, "protect", target, adj)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_nobody_left_to_kill_is_refused(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path / "root")
    machine.add_process(1, b"init", ppid=0, anon_kb=9000)
    machine.add_process(50, b"all", anon_kb=150_000, start_ticks=500)
    root = machine.proc.parent
    wish = ScoreWish("protect", "50", -1000, nobody_else=False)
    facts = read_score_facts(Reader(root, FakeSystemd(root, {})), "50", -1000)
    assert facts.after is not None
    assert facts.after.pid is None
    (found,) = propose(wish, facts)
    assert isinstance(found, Refusal)


def of_container(compose: bytes, kind: str = "protect", adj: int | None = -300) -> Plan:
    """A container whose Compose file is known."""
    file = ComposeFile("/srv/compose.yaml", FileFact("/srv/compose.yaml", compose), read_yaml(compose))
    member = Member(70, "app", 0, 1, 1, 5)
    facts = ScoreFacts((member,), container="srv-web-1", compose=(file,), service="web")
    (found,) = propose(ScoreWish(kind, "srv-web-1", adj), facts)
    assert isinstance(found, Plan)
    return found


@pytest.mark.parametrize(
    ("compose", "diff"),
    [
        (b"services:\n  web:  # ours\n    image: x\n  db:\n    image: y\n", ("+    oom_score_adj: -300",)),
        (b"services:\n  web:\n    oom_score_adj: 500 # why\n    image: x\n", ("-    oom_score_adj: 500 # why", "+    oom_score_adj: -300 # why")),
    ],
)  # fmt: skip
def test_the_compose_file_of_a_container_changes_in_one_line(compose: bytes, diff: tuple[str, ...]) -> None:
    step = of_container(compose).steps[-1]
    assert (step.action, step.effect.value) == ("edit-file", "after-recreation")
    assert tuple(line for line in step.diff[2:] if line[0] in "+-") == diff


@pytest.mark.parametrize(
    "compose",
    [
        b"services:\n  web:\n    oom_score_adj: ${ADJ}\n",
        b"services:\n  other:\n    image: x\n",
        b"x: &a {image: x}\nservices:\n  web: *a\n",
        b"services: [\n",
    ],
)
def test_a_compose_file_that_cannot_be_changed_in_place_is_for_a_person(compose: bytes) -> None:
    step = of_container(compose).steps[-1]
    assert step.action == "by-hand"
    assert "#   oom_score_adj: -300" in step.parameters["commands"]


def test_the_score_of_a_pod_is_the_kubelets(machine: FakeMachine) -> None:
    group = (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice/cri-containerd-{CONTAINER}.scope"
    )
    machine.add_v2(group)
    machine.add_process(80, b"pod", anon_kb=9000, adj=900, cgroup=f"0::{group}", start_ticks=9)
    plan = planned(machine, "protect", "80", 100)
    assert paths(plan) == ["/proc/80/oom_score_adj", "by-hand"]
    assert f"--pod-uid {POD.replace('_', '-')}" in plan.steps[1].parameters["commands"][1]
    assert any("Kubernetes sets the score again" in text.text for text in plan.warnings)


def test_a_users_unit_is_changed_by_that_user(machine: FakeMachine) -> None:
    group = "/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service"
    machine.add_v2(group)
    machine.add_process(90, b"mine", anon_kb=9000, cgroup=f"0::{group}", start_ticks=9)
    plan = planned(machine, "sacrifice", "mine.service")
    assert paths(plan) == ["/proc/90/oom_score_adj", "by-hand"]
    assert "OOMScoreAdjust=500" in plan.steps[1].parameters["commands"]
    assert plan.steps[1].parameters["undo"][0] == "rm ~/.config/systemd/user/mine.service.d/50-oomlens.conf"


def test_a_protection_comes_back_to_the_byte(machine: FakeMachine, tmp_path: Path) -> None:
    root = machine.proc.parent
    plan = planned(machine, "protect", "db.service", -300)
    application = apply_and_roll_back(plan, root, tmp_path / "state", FakeSystemd(root, {"db.service": GROUP}))
    assert application.steps[plan.steps[0].id].before == {"value": "0"}
