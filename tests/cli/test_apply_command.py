"""`apply`, `rollback`, `history` and `verify` as a person types them, on a small machine of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from oomlens.cli.plan import document
from oomlens.model.plan import Check, FileFact, Plan, Text, Watch
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.assemble import make_plan
from support.fake_machine import FakeMachine, fake_machine, write
from support.plans import tree_bytes

HOSTS = b"one\n"


def a_plan(check: Check | None = None) -> Plan:
    step = edit_file(
        "/etc/a.conf", FileFact("/etc/a.conf", HOSTS), b"two\n", Text("set a to {to}", {"to": "\x1b[2Jtwo"})
    )
    return make_plan(
        Plan("test", "test", "a", Text("a change"), (step,), argv=("test", "a"), preconditions=(check,) if check else (),
             watch=Watch(machine=True))
    )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path / "root")
    write(tmp_path / "root/etc/a.conf", HOSTS)
    write(found.proc / "sys/kernel/random/boot_id", "one\n")
    return found


def run(capsys: pytest.CaptureFixture[str], machine: FakeMachine, *arguments: str) -> tuple[int, str, str]:
    root = machine.proc.parent
    try:
        code = main([*arguments, "--lang", "en", "--root", str(root), "--state", str(root.parent / "state")])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    return code, out, err


def plan_file(machine: FakeMachine, *plans: Plan) -> str:
    place = machine.proc.parent.parent / "plan.json"
    place.write_text(json.dumps(document(plans, ())), encoding="utf-8")
    return str(place)


def test_a_plan_is_applied_listed_verified_and_taken_back(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    root = machine.proc.parent
    before = tree_bytes(root)
    file = plan_file(machine, a_plan())
    code, out, err = run(capsys, machine, "apply", file, "--yes")
    assert (code, err) == (0, "")
    assert (root / "etc/a.conf").read_bytes() == b"two\n"
    assert "verified: everything reads back as planned" in out
    assert f"oomlens rollback 1-{a_plan().id}" in out
    code, out, _ = run(capsys, machine, "history")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", f"1-{a_plan().id}"]
    code, out, _ = run(capsys, machine, "verify", "--quiet-for", "0s")
    assert (code, out.splitlines()[1].strip()) == (0, "fixed: no kill for 0 s")
    code, out, _ = run(capsys, machine, "verify")
    assert "too early" in out
    write(machine.proc / "vmstat", "nr_free_pages 50000\noom_kill 6\n")
    code, out, _ = run(capsys, machine, "verify")
    assert "not fixed: it was killed again 2 times since" in out
    write(machine.proc / "vmstat", "nr_free_pages 50000\noom_kill 4\n")
    code, out, _ = run(capsys, machine, "rollback")
    assert (code, tree_bytes(root)) == (0, before)
    assert "everything is as it was" in out
    code, out, err = run(capsys, machine, "rollback")
    assert (code, out) == (1, "")
    assert "no change to take back" in err
    code, out, _ = run(capsys, machine, "history", "--format", "json")
    (entry,) = json.loads(out)
    assert (entry["status"], entry["verified"], entry["number"]) == ("rolled-back", "not-fixed", 1)


def test_without_yes_and_without_a_terminal_nothing_is_done(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    before = tree_bytes(machine.proc.parent)
    code, out, err = run(capsys, machine, "apply", plan_file(machine, a_plan()))
    assert (code, tree_bytes(machine.proc.parent)) == (1, before)
    assert "-one" in out
    assert "--yes" in err


def test_dry_run_shows_the_diff_and_does_nothing(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree_bytes(machine.proc.parent)
    code, out, _ = run(capsys, machine, "apply", plan_file(machine, a_plan()), "--dry-run")
    assert (code, tree_bytes(machine.proc.parent)) == (0, before)
    assert "+two" in out


def test_refused_tells_why(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    plan = a_plan(Check("free-bytes", "/etc", 1 << 60))
    code, out, err = run(capsys, machine, "apply", plan_file(machine, plan), "--yes", "--format", "json")
    (told,) = json.loads(out)
    assert (code, told["application"]) == (1, None)
    assert "are free on its disk" in err
    assert "sudo" not in err


def test_where_only_permission_is_missing_the_owner_gets_the_commands(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    write(machine.proc / "self/status", "CapEff:\t0000000000000000\n")
    before = tree_bytes(machine.proc.parent)
    plan = a_plan(Check("capability", "CAP_SYS_RESOURCE"))
    code, _, err = run(capsys, machine, "apply", plan_file(machine, plan), "--yes")
    assert code == 1
    assert "CAP_SYS_RESOURCE" in err
    assert "sudo sed -i -f - " in err
    assert tree_bytes(machine.proc.parent) == before


def test_a_changed_file_asks_for_a_new_plan(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.proc.parent / "etc/a.conf").write_bytes(b"three\n")
    code, _, err = run(capsys, machine, "apply", plan_file(machine, a_plan()), "--yes")
    assert code == 1
    assert "/etc/a.conf was changed by something else" in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("{}", "schema"),
        ("[", "unexpected end"),
        ('{"schema":"oomlens/plan/1","plans":[]}', "no plan"),
    ],
)
def test_a_file_that_is_no_plan_is_named(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    place = machine.proc.parent.parent / "x.json"
    if content is not None:
        place.write_text(content, encoding="ascii")
    code, out, err = run(capsys, machine, "apply", str(place), "--yes")
    assert (code, out) == (1, "")
    assert words in err
    assert str(place) in err


def test_parameters_of_another_action_are_an_error_not_a_traceback(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plan_file(machine, a_plan())
    damaged: Any = json.loads(Path(file).read_text(encoding="utf-8"))
    damaged["plans"][0]["steps"][0]["parameters"] = {"argv": 5}
    Path(file).write_text(json.dumps(damaged), encoding="utf-8")
    code, _, err = run(capsys, machine, "apply", file, "--yes")
    assert code == 1
    assert "parameters" in err


@pytest.mark.parametrize("arguments", [("--allow", "x.1"), ("--only", "zzz")])
def test_ids_that_are_not_there_are_told(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]
) -> None:
    code, out, err = run(capsys, machine, "apply", plan_file(machine, a_plan()), "--yes", *arguments)
    assert code in (1, 2)
    assert out == ""
    assert arguments[1] in err
