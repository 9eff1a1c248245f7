"""The engine: carried out, interrupted at any point, taken back exactly, refused where something else changed."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import BusyError, Journal, JournalError, Progress, Status
from oomlens.apply.machine import Machine, Run
from oomlens.host.run import Output
from oomlens.model.plan import Check, FileFact, Plan, Safety, Step, Text
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from support.plans import apply_and_roll_back, stopped_everywhere, tree_bytes, undone

FSTAB = b"# keep  me\n/dev/sda1 / ext4 defaults 0 1\n"
T = Text("a step")


class FakeService:
    """`svc get|set N|reload`, whose setting is a file of the root, so that it survives as a machine's would."""

    def __init__(self, root: Path) -> None:
        self.place = root / "run/svc"
        self.calls: list[str] = []

    def __call__(self, argv: Sequence[str]) -> Output:
        self.calls.append(" ".join(argv))
        match list(argv):
            case ["svc", "get"]:
                return Output(0, self.place.read_text(encoding="ascii"), "")
            case ["svc", "set", value] if value != "bad":
                self.place.write_text(value, encoding="ascii")
                return Output(0, "", "")
            case ["svc", "reload"]:
                return Output(0, "", "")
        return Output(1, "", "svc: refused")


def make_root(root: Path) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "etc/fstab").write_bytes(FSTAB)
    (root / "etc/fstab").chmod(0o640)
    (root / "proc/sys/vm").mkdir(parents=True)
    (root / "proc/sys/vm/swappiness").write_text("60\n", encoding="ascii")
    (root / "run").mkdir()
    (root / "run/svc").write_text("1", encoding="ascii")
    return root


def steps_of() -> tuple[Step, ...]:
    return (
        edit_file("/etc/fstab", FileFact("/etc/fstab", FSTAB, 0o640), FSTAB + b"/swapfile none swap sw 0 0\n", T),
        edit_file("/etc/systemd/system/a.service.d/50-oomlens.conf", None, b"[Service]\nMemoryMax=1G\n", T),
        run_program(["svc", "reload"], T, target="svc", undo_argv=["svc", "reload"]),
        set_value("/proc/sys/vm/swappiness", "60", "10", T),
        run_program(
            ["svc", "set", "2"], T, target="svc", undo_argv=["svc", "set", "1"], probe_argv=["svc", "get"], before="1", after="2"
        ),
    )  # fmt: skip


def plan_of(*steps: Step, checks: tuple[Check, ...] = ()) -> Plan:
    return make_plan(Plan("test", "test", "a machine", T, steps or steps_of(), preconditions=checks))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def engine_of(root: Path, run: Run | None = None) -> Engine:
    return Engine(Machine(root, run or FakeService(root)), Journal(root.parent / "state"))


def test_applied_twice_changes_once_and_rolls_back_to_the_byte(root: Path, tmp_path: Path) -> None:
    service = FakeService(root)
    application = apply_and_roll_back(plan_of(), root, tmp_path / "state", service)
    assert undone(Journal(tmp_path / "state").applications()[0])
    assert application.number == 1
    # Reloaded once after the file was made, once after it was taken away: last of all.
    assert [call for call in service.calls if call == "svc reload"] == ["svc reload"] * 2
    assert [call for call in service.calls if call != "svc get"][-1] == "svc reload"
    assert (root / "etc/fstab").stat().st_mode & 0o777 == 0o640


def test_stopped_at_any_point_it_is_ended_or_taken_back(tmp_path: Path) -> None:
    numbers = itertools.count()

    def fresh() -> tuple[Path, Path, Run | None]:
        folder = tmp_path / str(next(numbers))
        made = make_root(folder / "root")
        return made, folder / "state", FakeService(made)

    points = stopped_everywhere(plan_of(), fresh)
    assert points >= 1 + 3 * 5 + 2 * 5  # begun, three points of each step, two of each undo


def test_a_file_that_changed_since_the_plan_is_refused_whole(root: Path) -> None:
    plan = plan_of()
    (root / "etc/fstab").write_bytes(b"other\n")
    before = tree_bytes(root)
    with pytest.raises(RefusedError) as refused:
        engine_of(root).apply(plan)
    assert [reason.values for reason in refused.value.reasons] == [{"target": "/etc/fstab"}]
    assert tree_bytes(root) == before
    assert Journal(root.parent / "state").applications() == []


def test_rollback_refuses_with_a_diff_where_something_else_changed(root: Path) -> None:
    engine = engine_of(root)
    application = engine.apply(plan_of()).application
    assert application is not None
    with (root / "etc/fstab").open("ab") as file:
        file.write(b"# mine\n")
    before = tree_bytes(root)
    with pytest.raises(RefusedError) as refused:
        engine.rollback(application)
    assert "+# mine" in refused.value.diff
    assert "-# keep  me" not in refused.value.diff
    assert tree_bytes(root) == before
    (root / "etc/fstab").write_bytes(FSTAB + b"/swapfile none swap sw 0 0\n")
    assert engine.rollback(application).changed


def test_a_live_value_that_something_else_changed_is_refused(root: Path) -> None:
    engine = engine_of(root)
    application = engine.apply(plan_of()).application
    assert application is not None
    (root / "proc/sys/vm/swappiness").write_text("33\n", encoding="ascii")
    with pytest.raises(RefusedError) as refused:
        engine.rollback(application)
    assert "+{'value': '33'}" in refused.value.diff


def test_a_step_that_fails_takes_back_those_before_it(root: Path) -> None:
    steps = steps_of()
    broken = run_program(["svc", "set", "bad"], T, target="svc", probe_argv=["svc", "get"], before="1", after="bad")
    before = tree_bytes(root)
    with pytest.raises(RefusedError) as refused:
        engine_of(root).apply(plan_of(*steps[:4], broken))
    assert "refused" in str(refused.value.reasons[0].values["why"])
    assert tree_bytes(root) == before
    (application,) = Journal(root.parent / "state").applications()
    assert application.status is Status.ROLLED_BACK


def test_only_allowed_disruptive_steps_are_done_and_manual_ones_never(root: Path) -> None:
    risky = replace(steps_of()[3], safety=Safety.DISRUPTIVE)
    plan = plan_of(steps_of()[0], risky, by_hand(["reboot"], T, target="you"))
    engine = engine_of(root)
    first = engine.apply(plan)
    assert first.progress == {f"{plan.id}.1": Progress.DONE, f"{plan.id}.2": Progress.SKIPPED, f"{plan.id}.3": Progress.SKIPPED}  # fmt: skip
    assert (root / "proc/sys/vm/swappiness").read_text(encoding="ascii") == "60\n"
    second = engine.apply(plan, frozenset([f"{plan.id}.2"]))
    assert second.progress == {f"{plan.id}.1": Progress.ALREADY, f"{plan.id}.2": Progress.DONE, f"{plan.id}.3": Progress.SKIPPED}  # fmt: skip
    assert (root / "proc/sys/vm/swappiness").read_text(encoding="ascii").strip() == "10"


def test_what_was_so_already_is_not_taken_back(root: Path) -> None:
    (root / "proc/sys/vm/swappiness").write_text("10", encoding="ascii")
    engine = engine_of(root)
    application = engine.apply(plan_of()).application
    assert application is not None
    engine.rollback(application)
    assert (root / "proc/sys/vm/swappiness").read_text(encoding="ascii") == "10"


def test_one_change_at_a_time(root: Path) -> None:
    journal = Journal(root.parent / "state")
    with journal.lock(), pytest.raises(BusyError):
        engine_of(root).apply(plan_of())


def test_another_plan_waits_for_the_interrupted_one(root: Path) -> None:
    class StopError(BaseException):
        pass

    def at(point: str) -> None:
        if point.startswith("did"):
            raise StopError

    engine = Engine(Machine(root, FakeService(root)), Journal(root.parent / "state"), at=at)
    with pytest.raises(StopError):
        engine.apply(plan_of())
    with pytest.raises(RefusedError) as refused:
        engine_of(root).apply(plan_of(steps_of()[3]))
    assert "interrupted" in refused.value.reasons[0].text


def test_preconditions_are_looked_at_before_anything_is_changed(root: Path) -> None:
    (root / "usage").write_text("5000000\n", encoding="ascii")
    checks = (
        Check("usage-below", "/usage", 4_000_000),
        Check("free-bytes", "/etc/x/y", 1 << 60),
        Check("absent", "/etc/fstab"),
        Check("from-the-future", "x"),
    )
    before = tree_bytes(root)
    with pytest.raises(RefusedError) as refused:
        engine_of(root).apply(plan_of(checks=checks))
    assert len(refused.value.reasons) == 4
    assert tree_bytes(root) == before


def test_values_of_the_last_boot_need_no_rollback(root: Path) -> None:
    boot = root / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("one\n", encoding="ascii")
    engine = Engine(Machine(root, FakeService(root)), Journal(root.parent / "state"), lambda: {"boot_id": "one"})
    application = engine.apply(plan_of(steps_of()[3])).application
    assert application is not None
    boot.write_text("two\n", encoding="ascii")
    (root / "proc/sys/vm/swappiness").write_text("60\n", encoding="ascii")
    engine.rollback(application)
    assert (root / "proc/sys/vm/swappiness").read_text(encoding="ascii") == "60\n"


def test_a_process_that_is_gone_is_left_alone(root: Path) -> None:
    def process(ticks: int) -> None:
        (root / "proc/7").mkdir(exist_ok=True)
        (root / "proc/7/stat").write_text(
            f"7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {ticks} 0\n", encoding="ascii"
        )
        (root / "proc/7/oom_score_adj").write_text("0\n", encoding="ascii")

    process(100)
    plan = plan_of(set_value("/proc/7/oom_score_adj", "0", "-500", T, process=(7, 100)))
    engine = engine_of(root)
    application = engine.apply(plan).application
    assert application is not None
    process(200)  # the pid is another's now
    engine.rollback(application)
    assert (root / "proc/7/oom_score_adj").read_text(encoding="ascii") == "0\n"
    assert not engine.apply(plan).changed
    assert (root / "proc/7/oom_score_adj").read_text(encoding="ascii") == "0\n"


def test_a_torn_last_line_of_the_journal_is_no_obstacle(root: Path) -> None:
    engine = engine_of(root)
    application = engine.apply(plan_of()).application
    assert application is not None
    data = application.path.read_bytes()
    application.path.write_bytes(data[: len(data) - 9])  # the power went while "applied" was written
    (read,) = Journal(root.parent / "state").applications()
    assert read.status is Status.APPLYING
    engine.apply(plan_of())
    (read,) = Journal(root.parent / "state").applications()
    assert read.status is Status.APPLIED


def test_a_journal_of_something_else_is_named(root: Path) -> None:
    folder = root.parent / "state/journal"
    folder.mkdir(parents=True)
    (folder / "000001-x.jsonl").write_text("{}\n", encoding="ascii")
    with pytest.raises(JournalError, match="000001-x"):
        Journal(root.parent / "state").applications()


def test_the_journal_is_for_its_owner_alone(root: Path) -> None:
    application = engine_of(root).apply(plan_of()).application
    assert application is not None
    assert application.path.stat().st_mode & 0o077 == 0
    assert application.path.parent.stat().st_mode & 0o077 == 0


def test_links_of_another_tree_stay_inside_it(root: Path) -> None:
    (root / "etc/fstab").rename(root / "etc/real")
    (root / "etc/fstab").symlink_to("/etc/real")
    engine_of(root).apply(plan_of(steps_of()[0]))
    assert (root / "etc/real").read_bytes().endswith(b"/swapfile none swap sw 0 0\n")
    assert (root / "etc/fstab").is_symlink()


def test_a_link_of_this_machine_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(FSTAB)
    (tmp_path / "link").symlink_to("real")
    plan = plan_of(edit_file(str(tmp_path / "link"), FileFact("x", FSTAB), FSTAB + b"# more\n", T))
    engine = Engine(Machine(), Journal(tmp_path / "state"))
    application = engine.apply(plan).application
    assert application is not None
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == FSTAB + b"# more\n"
    engine.rollback(application)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == FSTAB


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_owners_are_kept_and_restored(root: Path) -> None:
    os.chown(root / "etc/fstab", 12, 34)
    engine = engine_of(root)
    application = engine.apply(plan_of()).application
    assert application is not None
    about = (root / "etc/fstab").stat()
    assert (about.st_uid, about.st_gid) == (12, 34)
    engine.rollback(application)
    about = (root / "etc/fstab").stat()
    assert (about.st_uid, about.st_gid) == (12, 34)


KILLED = """
import os, signal, sys
from pathlib import Path
from oomlens.apply.engine import Engine
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine
from test_apply import FakeService, plan_of
root, state, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
left = [number]
def at(point):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
os.fsync = (lambda real: lambda fd: (at("fsync"), real(fd)))(os.fsync)  # also in the midst of a write
engine = Engine(Machine(root, FakeService(root)), Journal(state), at=at)
engine.rollback(engine.apply(plan_of()).application)
"""


@pytest.mark.parametrize("number", [0, 1, 4, 7, 9, 12, 14, 19, 25, 31, 40, 50])
def test_killed_for_real_it_is_taken_back(tmp_path: Path, number: int) -> None:
    root = make_root(tmp_path / "root")
    before = tree_bytes(root)
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent), *filter(None, sys.path)])
    program = [sys.executable, "-c", KILLED, str(root), str(tmp_path / "state"), str(number)]
    done = subprocess.run(program, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    for application in reversed(Journal(tmp_path / "state").applications()):
        engine_of(root).rollback(application)
    assert tree_bytes(root) == before
