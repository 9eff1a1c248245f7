"""What the guard's loop ends: by descriptor, never another process that got the number; and whom it passes over when it may not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.guard.loop.act import SIGKILL, SIGTERM, Target
from oomlens.guard.loop.candidates import comm_and_start
from oomlens.guard.loop.children import Children
from oomlens.policy.candidate import Candidate

Process = subprocess.Popen[bytes]


@pytest.fixture
def sleeping() -> Iterator[list[Process]]:
    made = [subprocess.Popen(["sleep", "600"]) for _ in range(3)]
    yield made
    for process in made:
        process.kill()
        process.wait(timeout=5)


def _candidate(pid: int, *, later_ticks: int = 0) -> Candidate:
    candidate = Candidate(pid, 1)
    start = comm_and_start(Path(f"/proc/{pid}/stat").read_bytes())[1]
    assert start is not None
    candidate.start_ticks = start + later_ticks
    return candidate


def _until(holds: bool, target: Target) -> None:
    until = time.monotonic() + 5
    while target.alive() is not holds:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_it_ends_who_was_chosen_and_says_when_nothing_is_left(sleeping: list[Process]) -> None:
    target = Target([_candidate(process.pid) for process in sleeping[:2]], None)
    assert target.alive()
    assert target.signal(SIGTERM) == 2
    _until(False, target)
    assert [process.wait(timeout=5) for process in sleeping[:2]] == [-SIGTERM] * 2
    assert sleeping[2].poll() is None
    assert target.descriptors() == []


def test_another_process_with_the_number_of_the_chosen_one_is_left(sleeping: list[Process]) -> None:
    reused, chosen = sleeping[:2]
    target = Target([_candidate(reused.pid, later_ticks=-3), _candidate(chosen.pid)], None)
    assert target.pids == [chosen.pid]
    target.signal(SIGKILL)
    assert chosen.wait(timeout=5) == -SIGKILL
    assert reused.poll() is None
    target.close()


def test_who_is_gone_already_is_nobody(sleeping: list[Process]) -> None:
    candidate = _candidate(sleeping[0].pid)
    sleeping[0].kill()
    sleeping[0].wait(timeout=5)
    target = Target([candidate], None)
    assert (target.pids, target.problem, target.signal(SIGTERM), target.alive()) == ([], None, 0, False)


def test_one_that_nobody_waits_for_counts_as_gone(sleeping: list[Process]) -> None:
    target = Target([_candidate(sleeping[0].pid)], None)
    target.signal(SIGKILL)
    _until(False, target)
    assert Path(f"/proc/{sleeping[0].pid}/stat").read_bytes().rpartition(b") ")[2].startswith(b"Z")


def test_after_sigkill_who_was_started_meanwhile_gets_it_too(sleeping: list[Process], tmp_path: Path) -> None:
    procs = tmp_path / "cgroup.procs"
    chosen, born, other = sleeping
    target = Target([_candidate(chosen.pid)], str(tmp_path))
    target.signal(SIGKILL)
    procs.write_text(f"0\n1\n{os.getpid()}\n{chosen.pid}\n{born.pid}\n", encoding="ascii")
    target.again()
    assert born.wait(timeout=5) == -SIGKILL
    assert other.poll() is None
    target.close()


def test_who_leaves_the_cgroup_in_between_is_left(
    sleeping: list[Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    procs = tmp_path / "cgroup.procs"
    procs.write_text(f"{sleeping[1].pid}\n", encoding="ascii")
    target = Target([_candidate(sleeping[0].pid)], str(tmp_path))
    opened = os.pidfd_open

    def and_it_moves(pid: int) -> int:
        procs.write_text("", encoding="ascii")
        return opened(pid)

    monkeypatch.setattr("os.pidfd_open", and_it_moves)
    target.again()
    monkeypatch.undo()
    assert len(target.descriptors()) == 1
    target.close()
    time.sleep(0.05)
    assert sleeping[1].poll() is None


def test_a_list_of_many_is_never_cut_within_a_number(sleeping: list[Process], tmp_path: Path) -> None:
    # 65,536 bytes end within the last number; its first digits are another process.
    victim = str(sleeping[1].pid)
    filler = "4194000\n" * ((65536 - len(victim)) // 8)
    filler += "0" * (65536 - len(victim) - len(filler) - 1) + "\n"
    (tmp_path / "cgroup.procs").write_text(filler + victim + "999\n", encoding="ascii")
    target = Target([_candidate(sleeping[0].pid)], str(tmp_path))
    target.again()
    target.close()
    time.sleep(0.05)
    assert sleeping[1].poll() is None


def test_without_cgroup_kill_all_are_signalled_one_by_one(sleeping: list[Process], tmp_path: Path) -> None:
    target = Target([_candidate(process.pid) for process in sleeping], str(tmp_path))
    assert target.signal(SIGKILL) == 3
    assert [process.wait(timeout=5) for process in sleeping] == [-SIGKILL] * 3
    target.close()


def test_with_cgroup_kill_one_write_takes_them(sleeping: list[Process], tmp_path: Path) -> None:
    (tmp_path / "cgroup.kill").touch()
    target = Target([_candidate(sleeping[0].pid)], str(tmp_path))
    assert target.signal(SIGTERM) == 1
    assert (tmp_path / "cgroup.kill").read_bytes() == b""
    target.signal(SIGKILL)
    assert (tmp_path / "cgroup.kill").read_bytes() == b"1"
    target.close()


def test_descriptors_are_given_back(sleeping: list[Process]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        target = Target([_candidate(process.pid) for process in sleeping], None)
        target.alive()
        target.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Programs round the loop


def _answer(children: Children, what: str) -> bytes:
    until = time.monotonic() + 10
    while (content := children.answer(what)) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return content


def _python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_an_answer_is_whole_and_a_failure_is_empty() -> None:
    children = Children()
    assert children.ask("a", _python("import sys; sys.stdout.write('x' * 300000)"))
    assert not children.ask("a", ["/bin/true"])
    assert children.asking("a")
    assert _answer(children, "a") == b"x" * 300000
    assert not children.busy()
    assert children.ask("a", _python("print(1, flush=True); raise SystemExit(3)"))
    assert _answer(children, "a") == b""
    assert not children.ask("a", ["/nonexistent/program"])
    assert children.answer("a") is None


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(600)", "while True: print('x' * 60000)"], ids=["hangs", "endless"]
)
def test_a_program_that_does_not_stop_is_ended(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr("oomlens.guard.loop.children._MOST_SECONDS", 0.5)
    children = Children()
    assert children.ask("a", _python(code))
    assert _answer(children, "a") == b""
    assert not children.busy()


def test_what_people_are_told_comes_on_standard_input_with_signals_as_they_were(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        children = Children()
        said = tmp_path / "said"
        assert children.start(
            ["/bin/sh", "-c", f"cat > {said}.new; grep SigIgn /proc/$$/status >> {said}.new; mv {said}.new {said}"],
            b"event\n",
        )
        until = time.monotonic() + 5
        while children.busy():
            children.look()
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGPIPE, before)
    event, ignored = said.read_text(encoding="ascii").splitlines()
    assert event == "event"
    assert not int(ignored.split()[1], 16) & 1 << (signal.SIGPIPE - 1)


def test_an_event_that_a_pipe_does_not_hold_is_not_told_in_half() -> None:
    assert not Children().start(["/bin/cat"], b"x" * (1 << 20))
