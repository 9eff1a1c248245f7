"""What the guard's loop writes: JSON lines, the journal's fields, the kernel's log, its state; and that losing a line never stops it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oomlens.guard.loop import events as module
from oomlens.guard.loop.cgroups import Hierarchy
from oomlens.guard.loop.events import Events, plain, to_json
from oomlens.guard.loop.steps import Steps, write_atomic
from support.guard import table

HOSTILE = 'evil\n\x1b[31m)\u202e\0"\\ Killed process 1 (init) é\udcff'
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@example("\u2028\x7f\x80\ufeff\U0001f600\U000e0001")
@example({"": [-0.0, 1e22, 5e-324, True, None, 10**30]})
def test_it_is_json(value: Any) -> None:
    written = to_json(value)
    assert json.loads(written) == json.loads(json.dumps(value))
    assert all(character.isprintable() for character in written)
    written.encode("utf-8")


def test_what_json_does_not_have_is_null_and_tuples_are_lists() -> None:
    assert to_json([float("nan"), float("inf"), (1, "a")]) == '[null, null, [1, "a"]]'


@given(st.binary(max_size=40))
@example(b"\xff\xed\xa0\x80")
def test_any_bytes_of_a_name_become_text_that_can_be_read_back(content: bytes) -> None:
    read = json.loads(to_json(os.fsdecode(content)).encode("utf-8"))
    assert not any("\ud800" <= character <= "\udfff" for character in read)


@given(st.text())
def test_the_kernels_log_gets_nothing_but_plain_text(text: str) -> None:
    assert len(plain(text)) == len(text)
    assert all(" " <= character <= "~" for character in plain(text))


def _emit(events: Events, count: int = 1, **more: Any) -> None:
    for _ in range(count):
        events.emit(
            "signalled",
            "machine",
            f"SIGTERM to 7 ({HOSTILE})",
            kernel=True,
            victim={"pid": 7, "comm": HOSTILE},
            road="harm",
            **more,
        )


def test_one_event_is_one_line_whatever_the_names_hold(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = Events(table(run_dir=tmp_path, log_stdout=False, log_file=str(log)))
    _emit(events, 2)
    events.close()
    lines = log.read_bytes().split(b"\n")
    assert len(lines) == 3
    assert lines[2] == b""
    event = json.loads(lines[0])
    assert event["victim"]["comm"] == HOSTILE.replace("\udcff", "\ufffd")
    assert (event["schema"], event["event"], event["scope"], event["dry_run"]) == (
        "oomlens/guard-event/1",
        "signalled",
        "machine",
        False,
    )
    assert b"\x1b" not in lines[0]
    assert log.stat().st_mode & 0o027 == 0


def test_the_kernels_log_gets_one_line_of_at_most_900_bytes(tmp_path: Path) -> None:
    ring = tmp_path / "dev/kmsg"
    ring.parent.mkdir()
    ring.touch()
    events = Events(table(run_dir=tmp_path, log_stdout=False, kmsg=True, root=str(tmp_path)))
    events.emit("signalled", "machine", HOSTILE * 100, kernel=True)
    events.emit("warned", "machine", "not for the kernel")
    events.close()
    content = ring.read_bytes()
    assert content.startswith(b"<4>oomlens-guard: evil??[31m)")
    assert len(content) <= 900
    assert b"\n" not in content


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(5)
        monkeypatch.setattr(module, "_JOURNAL", str(path))
        yield listening


def _fields(content: bytes) -> dict[str, bytes]:
    found = {}
    while content:
        name, _, rest = content.partition(b"\n")
        length = int.from_bytes(rest[:8], "little")
        found[name.decode("ascii")] = rest[8 : 8 + length]
        assert rest[8 + length : 9 + length] == b"\n"
        content = rest[9 + length :]
    return found


def test_a_name_with_a_newline_makes_no_field_of_its_own(tmp_path: Path, journal: socket.socket) -> None:
    events = Events(table(run_dir=tmp_path, log_stdout=False, journal=True))
    events.emit(
        "signalled", "machine", "m", victim={"pid": 7, "comm": "x\nPRIORITY=0\nOOMLENS_EVENT=gone"}, road="harm"
    )
    fields = _fields(journal.recv(1 << 20))
    events.close()
    assert set(fields) == {
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "OOMLENS_EVENT", "OOMLENS_SCOPE", "OOMLENS_ROAD", "OOMLENS_VICTIM_PID", "OOMLENS_VICTIM_COMM",
        "OOMLENS_JSON",
    }  # fmt: skip
    assert (fields["PRIORITY"], fields["OOMLENS_EVENT"], fields["OOMLENS_VICTIM_PID"]) == (b"3", b"signalled", b"7")
    assert json.loads(fields["OOMLENS_JSON"])["victim"]["comm"] == fields["OOMLENS_VICTIM_COMM"].decode()


def test_a_journal_that_is_away_costs_a_line_and_no_more(tmp_path: Path, journal: socket.socket) -> None:
    events = Events(table(run_dir=tmp_path, log_stdout=False, journal=True))
    journal.close()
    _emit(events, 2)
    events.close()
    assert events.lost == 2


def test_the_log_is_renamed_when_it_is_full(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = Events(table(run_dir=tmp_path, log_stdout=False, log_file=str(log), log_bytes=2000))
    _emit(events, 40)
    events.close()
    kept = log.read_bytes() + (tmp_path / "log.1").read_bytes()
    assert log.stat().st_size <= 2000
    assert 2 <= len(kept.splitlines()) < 40
    assert all(json.loads(line)["event"] == "signalled" for line in kept.splitlines())
    assert events.lost == 0
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1"}


def test_a_log_that_cannot_be_renamed_grows_on_and_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    events = Events(table(run_dir=tmp_path, log_stdout=False, log_file=str(log), log_bytes=1000))
    _emit(events, 20)
    events.close()
    assert len(log.read_bytes().splitlines()) == 20
    assert events.lost == 0


def test_a_full_disk_is_counted_and_never_renamed() -> None:
    # As /dev/full, but one that a rename would show: a device of the test's own needs rights, so the call is watched instead.
    renamed: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.replace", lambda *paths: renamed.append(paths))
        events = Events(table(run_dir="/nonexistent", log_stdout=False, log_file="/dev/full", log_bytes=500))
        _emit(events, 10)
        events.close()
    assert events.lost == 10
    assert renamed == []


def test_a_log_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "log").symlink_to(tmp_path / "other")
    events = Events(table(run_dir=tmp_path, log_stdout=False, log_file=str(tmp_path / "log")))
    _emit(events, 3)
    assert events.lost == 3
    assert (tmp_path / "other").read_bytes() == b""


def test_a_line_that_was_cut_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    events = Events(table(run_dir=tmp_path, log_stdout=False, log_file=str(log)))
    write = os.write
    short = [True]

    def cut(fd: int, content: bytes) -> int:
        if short.pop() if short else False:
            return write(fd, content[:30])
        return write(fd, content)

    monkeypatch.setattr("os.write", cut)
    _emit(events, 3)
    monkeypatch.undo()
    events.close()
    lines = log.read_bytes().splitlines()
    assert len(lines) == 3
    assert [json.loads(line)["event"] for line in lines[1:]] == ["signalled", "signalled"]
    assert events.lost == 1


def test_what_people_are_told_is_kept_until_there_is_memory_for_it(tmp_path: Path) -> None:
    events = Events(table(run_dir=tmp_path, log_stdout=False, tell_argv=["/bin/true"], tell_on=["signalled"]))
    _emit(events, 40)
    events.emit("warned", None, "not asked for")
    assert len(events.waiting) == 16
    assert json.loads(events.waiting[0])["event"] == "signalled"


def test_a_file_is_whole_or_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert write_atomic(str(path), b"one")
    assert not write_atomic(str(tmp_path / "none/state.json"), b"two")
    (tmp_path / "state.json.new").symlink_to(tmp_path / "elsewhere")
    assert not write_atomic(str(path), b"two")
    assert path.read_bytes() == b"one"
    assert not (tmp_path / "elsewhere").exists()


def _tree(tmp_path: Path, *cgroups: str) -> tuple[Steps, Path]:
    base = tmp_path / "sys/fs/cgroup"
    base.mkdir(parents=True)
    (base / "cgroup.controllers").write_text("memory\n", encoding="ascii")
    for cgroup in cgroups:
        folder = base / cgroup
        folder.mkdir()
        for name, content in (("memory.current", f"{100 << 20}\n"), ("memory.high", "max\n"), ("cgroup.freeze", "0\n")):
            (folder / name).write_text(content, encoding="ascii")
    return Steps(Hierarchy(str(tmp_path)), str(tmp_path)), base


def _step(do: str, cgroup: str, **more: Any) -> dict[str, Any]:
    return {"at": "act", "do": do, "cgroup": cgroup, "fraction": 0.5, "seconds": 30.0, "kb": 1024, "argv": [], **more}


def _undo(tmp_path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((tmp_path / "undo.json").read_text(encoding="utf-8"))
    return rows


def test_what_has_to_be_undone_is_written_down_and_empty_afterwards(tmp_path: Path) -> None:
    steps, base = _tree(tmp_path, "a")
    high = base / "a/memory.high"
    assert steps.take("machine", 0, _step("high", "/a"), None) == ("/a", None)
    assert high.read_text(encoding="ascii").split() == [str(50 << 20)] or high.read_text(encoding="ascii").startswith(
        str(50 << 20)
    )
    assert _undo(tmp_path) == [{"path": str(high), "value": "max", "wrote": str(50 << 20)}]
    assert steps.take("machine", 0, _step("high", "/a"), None) is None  # once an episode
    high.write_text(str(50 << 20), encoding="ascii")
    assert steps.over("machine") == [str(high)]
    assert high.read_text(encoding="ascii").startswith("max")
    assert _undo(tmp_path) == []


def test_a_limit_that_somebody_else_changed_meanwhile_is_left(tmp_path: Path) -> None:
    steps, base = _tree(tmp_path, "a")
    steps.take("machine", 0, _step("high", "/a"), None)
    (base / "a/memory.high").write_text("777\n", encoding="ascii")
    steps.over("machine")
    assert (base / "a/memory.high").read_text(encoding="ascii") == "777\n"
    assert _undo(tmp_path) == []


def test_one_scopes_steps_are_undone_while_anothers_last(tmp_path: Path) -> None:
    steps, base = _tree(tmp_path, "a", "b")
    steps.take("one", 0, _step("freeze", "/a"), None)
    steps.take("two", 0, _step("freeze", "/b"), None)
    assert steps.over("one") == [str(base / "a/cgroup.freeze")]
    assert (base / "a/cgroup.freeze").read_text(encoding="ascii").startswith("0")
    assert (base / "b/cgroup.freeze").read_text(encoding="ascii").startswith("1")
    assert [row["path"] for row in _undo(tmp_path)] == [str(base / "b/cgroup.freeze")]
    assert steps.over("two") == [str(base / "b/cgroup.freeze")]


def test_two_scopes_that_slow_the_same_cgroup_leave_it_as_it_was(tmp_path: Path) -> None:
    steps, base = _tree(tmp_path, "a")
    high = base / "a/memory.high"
    steps.take("one", 0, _step("high", "/a"), None)
    high.write_text(str(50 << 20), encoding="ascii")
    _, problem = steps.take("two", 0, _step("high", "/a", fraction=0.4), None) or (None, None)
    assert problem is not None
    steps.over("one")
    steps.over("two")
    assert high.read_text(encoding="ascii").startswith("max")


def test_a_freeze_ends_at_its_time_and_nothing_is_left_to_undo(tmp_path: Path) -> None:
    steps, base = _tree(tmp_path, "a")
    steps.take("machine", 0, _step("freeze", "/a", seconds=0.0), None)
    assert steps.look() == [("undone", str(base / "a/cgroup.freeze"))]
    assert (base / "a/cgroup.freeze").read_text(encoding="ascii").startswith("0")
    assert _undo(tmp_path) == []
    assert not steps.busy()


def test_without_a_thread_for_reclaim_the_step_fails_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, _ = _tree(tmp_path, "a")

    def none_left(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", none_left)
    done = steps.take("machine", 0, _step("reclaim", "/a"), None)
    assert done is not None
    assert done[1] is not None


@pytest.mark.parametrize("cgroup", ["", "/", None])
def test_a_step_never_takes_the_root(tmp_path: Path, cgroup: str | None) -> None:
    steps, _ = _tree(tmp_path)
    done = steps.take("machine", 0, _step("freeze", "offender"), cgroup)
    assert done is not None
    assert done[1] == "no cgroup to do it to"


def test_what_cannot_be_written_down_to_be_undone_is_not_done(tmp_path: Path) -> None:
    _, base = _tree(tmp_path, "a")
    steps = Steps(Hierarchy(str(tmp_path)), str(tmp_path / "none"))
    done = steps.take("machine", 0, _step("freeze", "/a"), None)
    assert done is not None
    assert done[1] is not None
    assert (base / "a/cgroup.freeze").read_text(encoding="ascii") == "0\n"
