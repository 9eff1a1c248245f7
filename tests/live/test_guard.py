"""The guard's loop on the running kernel: it watches memory cgroups of the test's own (at most 128 MiB) and ends what leaks there."""

from __future__ import annotations

import json
import marshal
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.guard import NEVER, Guard, running, scope, table
from support.guard_victims import DEAF, MIB, SHARE, SHARE_AND_WAIT, SWARM, Victims, full, group_lives, lives, victims
from support.memcg import kills_in, own_memcg

pytestmark = pytest.mark.live
LIMIT = 128 * MIB


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with own_memcg(LIMIT) as folder:
        yield folder


@pytest.fixture
def inside(cgroup: Path) -> Iterator[Victims]:
    with victims(cgroup) as made:
        yield made


def _scope(folder: Path, **changed: Any) -> dict[str, Any]:
    """The cgroup as the scope: acts at a fifth left, at once at a tenth."""
    levels: dict[str, Any] = {
        "warn": [0.40, None, None],
        "term": [0.20, None, None],
        "kill": [0.10, None, None],
        "thrash_low": NEVER,
        "harm_low": NEVER,
        "grace_seconds": 1.0,
        "cool_seconds": 0.5,
    }
    return scope(name=folder.name, cgroup="/" + folder.name, **{**levels, **changed})


def _ended_by(guard: Guard, pid: int) -> list[str]:
    return [event["signal"] for event in guard.events("signalled") if event["victim"]["pid"] == pid]


def test_a_leak_ends_before_the_kernel_has_to_and_by_sigterm(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    innocent = inside.holding(5)
    with running(table([_scope(cgroup)], run_dir=tmp_path), tmp_path) as guard:
        leaker = inside.leaking()
        gone = guard.wait_for("gone", 10)
        assert leaker.wait(timeout=5) == -signal.SIGTERM
        assert lives(innocent)
        assert _ended_by(guard, leaker.pid) == ["TERM"]
        (decided,) = guard.events("decided")
        settled = guard.wait_for("settled")
    assert kills_in(cgroup) == 0
    assert decided["road"] == "exhaustion"
    assert len(decided["evidence"]) >= 2
    assert decided["took_ms"] < 50
    assert gone["victim"]["pid"] == leaker.pid
    assert settled["freed_kb"] > 60 << 10
    names = [event["event"] for event in guard.events()]
    assert names.index("warned") < names.index("signalled") < names.index("gone")


def test_who_ignores_sigterm_gets_sigkill_within_four_seconds(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    with running(table([_scope(cgroup)], run_dir=tmp_path), tmp_path) as guard:
        leaker = inside.start(DEAF + "held = [b'x' * (100 << 20)]\nheld.append(b'x' * (5 << 20))\ntime.sleep(600)")
        guard.wait_for("signalled", 10)
        begun = time.monotonic()
        assert leaker.wait(timeout=5) == -signal.SIGKILL
        took = time.monotonic() - begun
        guard.wait_for("gone")
        assert _ended_by(guard, leaker.pid) == ["TERM", "KILL"]
    assert took < 4.0
    assert kills_in(cgroup) == 0


def test_who_may_not_be_ended_lives_though_it_is_the_largest(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    marked = inside.holding(70)
    exempt = [{"why": "marked", "cmdline": "* 70 1 0"}]
    with running(table([_scope(cgroup, ranking="badness")], run_dir=tmp_path, exempt=exempt), tmp_path) as guard:
        leaker = inside.leaking(mib_per_second=40)
        guard.wait_for("gone", 10)
        assert leaker.wait(timeout=5) in (-signal.SIGTERM, -signal.SIGKILL)
        guard.wait_for("settled")
        assert lives(marked)
        decided = guard.events("decided")[0]
    assert kills_in(cgroup) == 0
    assert decided["victim"]["pid"] == leaker.pid
    assert [row["why"] for row in decided["passed_over"]] == ["marked"]


def test_oom_score_adj_of_minus_1000_is_never_ended(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    protected = inside.holding(60, adj=-1000)
    with running(table([_scope(cgroup)], run_dir=tmp_path), tmp_path) as guard:
        leaker = inside.leaking(mib_per_second=40)
        guard.wait_for("gone", 10)
        assert leaker.wait(timeout=5) < 0
        assert lives(protected)


def test_where_nobody_may_be_ended_it_says_so_once_a_cool_down(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    inside.holding(105)
    exempt = [{"why": "all", "cmdline": "*"}]
    with running(table([_scope(cgroup, cool_seconds=1.0)], run_dir=tmp_path, exempt=exempt), tmp_path) as guard:
        held = guard.wait_for("held-back")
        time.sleep(0.7)
        assert len(guard.events("held-back")) == 1
    assert held["reason"] == "nobody-may-be-ended"
    assert held["victim"] is None
    assert all(lives(process) for process in inside.started)


def test_a_dry_run_ends_nobody_and_says_whom_it_would(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    leaker = inside.holding(105)
    step = {
        "at": "act",
        "do": "hook",
        "cgroup": "offender",
        "kb": 0,
        "fraction": 0.5,
        "seconds": 1.0,
        "argv": ["/bin/false"],
    }
    with running(table([_scope(cgroup, steps=[step])], run_dir=tmp_path, dry_run=True), tmp_path) as guard:
        decided = guard.wait_for("decided")
        time.sleep(0.2)
        assert lives(leaker)
        assert guard.events("signalled") == []
        assert guard.events("stepped") == []
    assert decided["victim"]["pid"] == leaker.pid
    assert decided["dry_run"] is True
    assert decided["state"]["phase"] == "watch"


def test_a_kill_by_the_kernel_is_told(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    never: dict[str, Any] = {"warn": NEVER, "term": NEVER, "kill": NEVER, "react_seconds": 0.0, "roads": ["exhaustion"]}
    quiet = _scope(cgroup, **{**never, "thrash_low": [1.0, None, None]})  # but looked at closely
    with running(table([quiet], run_dir=tmp_path), tmp_path) as guard:
        guard.wait_until((tmp_path / "state.json").exists, "the first look")
        leaker = inside.leaking(mib_per_second=2000)
        assert leaker.wait(timeout=10) == -signal.SIGKILL
        told = guard.wait_for("kernel-killed", 12)
    assert kills_in(cgroup) == 1
    assert told["value"] == 1


def test_two_scopes_at_once(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    with own_memcg(LIMIT) as second, victims(second) as others:
        calm = others.holding(10)
        with running(table([_scope(cgroup), _scope(second)], run_dir=tmp_path), tmp_path) as guard:
            one, two = inside.leaking(mib_per_second=40), others.leaking(mib_per_second=40)
            guard.wait_for("gone", 15, 2)
            assert one.wait(timeout=5) < 0
            assert two.wait(timeout=5) < 0
            assert lives(calm)
            ended = {(event["scope"], event["victim"]["pid"]) for event in guard.events("gone")}
        assert ended == {(cgroup.name, one.pid), (second.name, two.pid)}
        assert kills_in(second) == 0
    assert kills_in(cgroup) == 0


def test_a_fork_bomb_ends_as_a_swarm(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    innocent = inside.sleeping()
    with running(table([_scope(cgroup, react_seconds=0.0)], run_dir=tmp_path), tmp_path) as guard:
        bomb = inside.start(SWARM, 160, 260, 0.002)
        decided = guard.wait_for("decided", 15)
        guard.wait_for("gone", 10)
        assert lives(innocent)
    assert decided["object"] == "swarm"
    assert decided["processes"] >= 100
    assert kills_in(cgroup) == 0
    assert lives(bomb) or bomb.returncode == -signal.SIGTERM


@pytest.mark.parametrize("code", [SHARE, SHARE_AND_WAIT], ids=["beside", "waiting-in-vfork"])
def test_a_victim_whose_memory_another_process_shares(cgroup: Path, inside: Victims, tmp_path: Path, code: str) -> None:
    content = table([_scope(cgroup)], run_dir=tmp_path)
    filled = "held = [b'x' * (100 << 20), b'x' * (5 << 20)]\n"
    first = inside.start(filled + code + "time.sleep(600)")
    while len((cgroup / "cgroup.procs").read_text(encoding="ascii").split()) < 2:
        time.sleep(0.01)
    with running(content, tmp_path) as guard:
        guard.wait_for("gone", 15, 2)
        first.wait(timeout=5)
        ended = {event["victim"]["pid"] for event in guard.events("gone")}
        guard.wait_until(lambda: not (cgroup / "cgroup.procs").read_text(encoding="ascii"), "empty cgroup")
    assert len(ended) == 2
    assert first.pid in ended
    assert kills_in(cgroup) == 0


def test_one_that_cannot_end_is_stuck_and_another_is_chosen(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    freezer = Path("/sys/fs/cgroup/freezer")
    if not (freezer / "cgroup.procs").exists():
        pytest.skip("needs the v1 freezer: what it holds does not end even by SIGKILL")
    cold = freezer / cgroup.name
    cold.mkdir()
    frozen = inside.holding(60)
    try:
        (cold / "cgroup.procs").write_text(str(frozen.pid), encoding="ascii")
        (cold / "freezer.state").write_text("FROZEN", encoding="ascii")
        with running(
            table([_scope(cgroup, stuck_seconds=1.0, ranking="badness")], run_dir=tmp_path), tmp_path
        ) as guard:
            leaker = inside.holding(46)
            stuck = guard.wait_for("stuck", 10)
            assert stuck["victim"]["pid"] == frozen.pid
            assert lives(frozen)
            assert _ended_by(guard, frozen.pid) == ["TERM", "KILL"]
            more = inside.leaking(mib_per_second=100)
            guard.wait_for("gone", 10)
            assert not (lives(leaker) and lives(more))
            assert _ended_by(guard, frozen.pid) == ["TERM", "KILL"]
        assert kills_in(cgroup) == 0
    finally:
        (cold / "freezer.state").write_text("THAWED", encoding="ascii")
        frozen.kill()
        frozen.wait(timeout=5)
        cold.rmdir()


def test_a_guard_that_was_stopped_does_not_act_on_an_old_rate(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    # It leaks fast, then stands still well above the level, while the guard cannot look.
    with running(table([_scope(cgroup, react_seconds=1.0)], run_dir=tmp_path), tmp_path) as guard:
        process = inside.start(
            "held = [b'x' * (20 << 20)]\nprint('full', flush=True)\nsys.stdin.read()\n" + "time.sleep(600)"
        )
        full(process)
        time.sleep(0.3)
        os.kill(guard.pid, signal.SIGSTOP)
        more = inside.holding(60)
        time.sleep(2.0)
        os.kill(guard.pid, signal.SIGCONT)
        time.sleep(1.0)
        assert guard.events("signalled") == []
        assert lives(more)


def test_a_full_disk_for_the_log_stops_nothing(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    with running(table([_scope(cgroup)], run_dir=tmp_path, log_file="/dev/full", log_bytes=2000), tmp_path) as guard:
        leaker = inside.leaking()
        guard.wait_for("gone", 10)
        assert leaker.wait(timeout=5) < 0
        assert guard.stop() == 0
        events = len(guard.events())
    state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert state["counts"]["log_lost"] >= events - 1  # "stopped" comes after it
    assert state["counts"]["gone"] == 1
    assert Path("/dev/full").is_char_device()


def test_nobody_who_does_not_read_its_output_stops_it(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        os.set_blocking(write, False)
        while True:
            try:
                os.write(write, b"x" * 4096)
            except BlockingIOError:
                break
        os.set_blocking(write, True)
        content = table([_scope(cgroup)], run_dir=tmp_path, log_file=str(tmp_path / "log"))
        with running(content, tmp_path, started=False, stdout=write) as guard:
            leaker = inside.leaking()
            assert leaker.wait(timeout=10) == -signal.SIGTERM
            assert guard.stop() == 0
        assert b'"gone"' in (tmp_path / "log").read_bytes()
    finally:
        os.close(read)
        os.close(write)


def _steps(folder: Path, *steps: dict[str, Any]) -> dict[str, Any]:
    whole = [
        {"at": "act", "cgroup": "offender", "kb": 0, "fraction": 0.5, "seconds": 1.0, "argv": [], **step}
        for step in steps
    ]
    return _scope(folder, steps=whole)


def test_a_hook_that_hangs_is_ended_at_its_limit(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    said = tmp_path / "hook"
    argv = ["/bin/sh", "-c", f"echo $$ $OOMLENS_SCOPE $OOMLENS_EVENT > {said}; sleep 600 & sleep 600"]
    leaker = inside.holding(108)
    with running(
        table([_steps(cgroup, {"do": "hook", "seconds": 0.4, "argv": argv})], run_dir=tmp_path), tmp_path
    ) as guard:
        guard.wait_for("gone", 5)  # the hook does not hold up the end of the leak
        assert leaker.wait(timeout=5) < 0
        guard.wait_until(lambda: said.exists() and said.read_text(encoding="ascii").endswith("\n"), "the hook")
        pid, *words = said.read_text(encoding="ascii").split()
        assert words == [cgroup.name, "act"]
        guard.wait_until(lambda: "took too long" in json.dumps(guard.events("failed")), "end of the hook")
        guard.wait_until(lambda: not Path(f"/proc/{pid}").exists(), "reaped hook")
        assert not group_lives(int(pid))


def test_no_hook_outlives_the_guard(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    said = tmp_path / "hook"
    argv = ["/bin/sh", "-c", f"echo $$ > {said}; sleep 600"]
    inside.holding(108)
    with running(
        table([_steps(cgroup, {"do": "hook", "seconds": 60.0, "argv": argv})], run_dir=tmp_path), tmp_path
    ) as guard:
        guard.wait_until(lambda: said.exists() and said.read_text(encoding="ascii").endswith("\n"), "the hook")
        assert group_lives(int(said.read_text(encoding="ascii")))
        assert guard.stop() == 0
    time.sleep(0.05)
    assert not group_lives(int(said.read_text(encoding="ascii")))


# Cgroup v2 as files, with the real processes of the test's own cgroup in it: what the loop does there, on kernels with v1 as well.


class FakeV2:
    """A tree that the loop takes for a machine with cgroup v2."""

    def __init__(self, folder: Path, cgroup: Path, current: int) -> None:
        self.root = folder / "root"
        base = self.root / "sys/fs/cgroup"
        self.folder = base / cgroup.name
        self.folder.mkdir(parents=True)
        (self.root / "proc").symlink_to("/proc")
        (base / "cgroup.controllers").write_text("memory\n", encoding="ascii")
        for name, content in (
            ("memory.max", LIMIT),
            ("memory.high", "max"),
            ("memory.stat", ""),
            ("cgroup.freeze", 0),
            ("memory.reclaim", ""),
        ):
            self.write(name, str(content))
        self.write("cgroup.procs", (cgroup / "cgroup.procs").read_text(encoding="ascii"))
        self.write("memory.current", str(current))

    def write(self, name: str, content: str) -> None:
        """As the kernel would show it."""
        (self.folder / name).write_text(content.rstrip("\n") + "\n", encoding="ascii")

    def read(self, name: str) -> str:
        """Its first word."""
        return (self.folder / name).read_text(encoding="ascii").split()[0]


def test_memory_oom_group_takes_the_whole_cgroup(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    both = [inside.holding(30), inside.holding(5)]
    fake = FakeV2(tmp_path, cgroup, 115 * MIB)
    fake.write("memory.oom.group", "1")
    with running(table([_scope(cgroup)], run_dir=tmp_path, root=str(fake.root)), tmp_path) as guard:
        decided = guard.wait_for("decided")
        assert [process.wait(timeout=5) for process in both] == [-signal.SIGTERM] * 2
        fake.write("memory.current", "0")
        guard.wait_for("gone")
    assert (decided["object"], decided["target_cgroup"], decided["processes"]) == ("cgroup", "/" + cgroup.name, 2)


def test_the_whole_is_not_taken_where_one_in_it_is_spared(cgroup: Path, inside: Victims, tmp_path: Path) -> None:
    large, spared = inside.holding(30), inside.holding(5)
    exempt = [{"why": "marked", "cmdline": "* 5 1 0"}]
    fake = FakeV2(tmp_path, cgroup, 115 * MIB)
    fake.write("memory.oom.group", "1")
    with running(table([_scope(cgroup)], run_dir=tmp_path, root=str(fake.root), exempt=exempt), tmp_path) as guard:
        assert large.wait(timeout=5) == -signal.SIGTERM
        fake.write("memory.current", "0")
        guard.wait_for("gone")
        assert lives(spared)


@pytest.mark.parametrize("how", ["sigterm", "time", "recovered"])
def test_steps_are_taken_and_undone(cgroup: Path, inside: Victims, tmp_path: Path, how: str) -> None:
    process = inside.holding(30)
    fake = FakeV2(tmp_path, cgroup, 64 * MIB)
    seconds = 0.4 if how == "time" else 60.0
    steps = _steps(
        cgroup,
        {"do": "reclaim", "at": "warn", "kb": 2048},
        {"do": "high", "at": "warn"},
        {"do": "freeze", "at": "warn", "seconds": seconds},
    )
    with running(table([steps], run_dir=tmp_path, root=str(fake.root)), tmp_path) as guard:
        fake.write("memory.current", str(80 * MIB))
        guard.wait_for("stepped", number=3)
        assert [event["step"]["do"] for event in guard.events("stepped")] == ["reclaim", "high", "freeze"]
        guard.wait_until(
            lambda: (fake.folder / "memory.reclaim").read_text(encoding="ascii").startswith(str(2 << 20)), "reclaim"
        )
        if how != "time":
            assert (fake.read("memory.high"), fake.read("cgroup.freeze")) == (str(40 * MIB), "1")
            paths = [row["path"] for row in json.loads((tmp_path / "undo.json").read_text(encoding="utf-8"))]
            assert paths == [str(fake.folder / "memory.high"), str(fake.folder / "cgroup.freeze")]
        fake.write("memory.high", str(40 * MIB))  # as the kernel shows what was written
        if how == "time":
            guard.wait_for("undone")
            assert fake.read("cgroup.freeze") == "0"
        if how == "recovered":
            fake.write("memory.current", str(2 * MIB))
            guard.wait_for("recovered", 10)
        else:
            time.sleep(0.3)
            assert (
                guard.events("signalled") == []
            )  # the limit that the guard itself lowered is no reason to end anybody
        if how != "recovered":
            assert guard.stop() == 0
    # "max" is written over the number: a file of the disk keeps the rest of it.
    assert (fake.read("memory.high")[:3], fake.read("cgroup.freeze")) == ("max", "0")
    assert json.loads((tmp_path / "undo.json").read_text(encoding="utf-8")) == []
    assert lives(process)


# Reading the configuration again


def _reloading(tmp_path: Path) -> list[str]:
    code = f"import sys\ncontent = open({str(tmp_path / 'next')!r}, 'rb').read()\nsys.stdout.buffer.write(content)\nsys.exit(not content)"
    return [sys.executable, "-I", "-S", "-c", code]


@pytest.mark.parametrize(
    "content", [b"", b"no table", b"(\x00", b"i\x01\x00\x00\x00"], ids=["refused", "rubbish", "empty", "number"]
)
def test_a_refused_table_keeps_the_old_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "next").write_bytes(content)
    with running(table(run_dir=tmp_path, reload_argv=_reloading(tmp_path)), tmp_path) as guard:
        os.kill(guard.pid, signal.SIGHUP)
        guard.wait_for("reload-refused")
        assert guard.stop() == 0
        assert {event["digest"] for event in guard.events()} == {"0" * 12}


@pytest.mark.parametrize("missing", ["digest", "exempt", "log_bytes", "scopes"])
def test_a_table_that_is_not_whole_is_refused(tmp_path: Path, missing: str) -> None:
    whole = table(run_dir=tmp_path, reload_argv=_reloading(tmp_path))
    (tmp_path / "next").write_bytes(marshal.dumps({key: value for key, value in whole.items() if key != missing}))
    with running(whole, tmp_path) as guard:
        os.kill(guard.pid, signal.SIGHUP)
        guard.wait_for("reload-refused")
        assert guard.stop() == 0


def test_a_good_table_is_taken_and_the_same_name_may_mean_another_cgroup(
    cgroup: Path, inside: Victims, tmp_path: Path
) -> None:
    argv = _reloading(tmp_path)
    first = table([{**_scope(cgroup), "cgroup": "/not-there"}], run_dir=tmp_path, reload_argv=argv)
    (tmp_path / "next").write_bytes(
        marshal.dumps(table([_scope(cgroup)], run_dir=tmp_path, digest="1" * 12, reload_argv=argv))
    )
    with running(first, tmp_path) as guard:
        leaker = inside.holding(105)
        os.kill(guard.pid, signal.SIGHUP)
        assert guard.wait_for("reloaded")["digest"] == "1" * 12
        assert leaker.wait(timeout=5) == -signal.SIGTERM


def test_a_cgroup_that_is_made_later_is_watched_then(cgroup: Path, tmp_path: Path) -> None:
    later = cgroup.parent / (cgroup.name + "-later")
    content = table([{**_scope(later)}], run_dir=tmp_path, reload_argv=_reloading(tmp_path))
    (tmp_path / "next").write_bytes(marshal.dumps(content))
    with running(content, tmp_path) as guard:
        time.sleep(0.1)
        later.mkdir()
        try:
            limit = "memory.max" if (later / "memory.max").exists() else "memory.limit_in_bytes"
            (later / limit).write_text(str(LIMIT), encoding="ascii")
            with victims(later) as made:
                leaker = made.holding(105)
                os.kill(guard.pid, signal.SIGHUP)
                assert leaker.wait(timeout=5) == -signal.SIGTERM
        finally:
            later.rmdir()
        time.sleep(0.2)
        assert guard.stop() == 0  # and it is gone again


# Without rights


def test_as_an_ordinary_user_it_says_what_failed_and_ends_what_is_its_own(
    cgroup: Path, inside: Victims, tmp_path: Path
) -> None:
    uid = 65534
    other = inside.holding(60)
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, uid, uid)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    asked: dict[str, Any] = {
        "nice": -20,
        "oom_score_adj": -900,
        "lock_memory": True,
        "kmsg": True,
        "capabilities": ["kill"],
    }
    with running(table([_scope(cgroup)], run_dir=folder, log_file="/proc/none", **asked), tmp_path, uid=uid) as guard:
        own = inside.leaking(mib_per_second=40, uid=uid)
        assert own.wait(timeout=10) in (-signal.SIGTERM, -signal.SIGKILL)
        guard.wait_for("gone")
        assert lives(other)
        failed = " ".join(str(event["detail"]) for event in guard.events("failed"))
        assert _ended_by(guard, other.pid) == []
    assert kills_in(cgroup) == 0
    assert "oom_score_adj" in failed
    assert "nice" in failed
    assert "log" in failed
