"""Starting the guard: whose file it obeys, the lock, and what the loop is handed."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from oomlens.cli.main import main
from oomlens.guard.config.launch import LaunchError, around, become_loop, take_lock, this_program
from oomlens.guard.config.problems import ConfigError
from oomlens.guard.config.source import read_file
from oomlens.guard.config.table import Around, make_table
from oomlens.i18n import english

LOOP = """
import marshal, os, sys, fcntl
table = marshal.loads(os.read(int(sys.argv[1]), 1 << 20))
lock = os.open(table["run_dir"] + "/lock", os.O_RDWR)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    held = False
except OSError:
    held = True
print(table["preset"], held, os.pread(lock, 20, 0).decode().strip() == str(os.getpid()), len(sys.path), sys.flags.isolated, sys.flags.no_site)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def problem(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_file(file)
    (line,) = caught.value.lines(english)
    return line


def config(folder: Path, text: str = "dry_run = true\n", mode: int = 0o644) -> Path:
    file = folder / "guard.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_a_file_of_ones_own_is_read(folder: Path) -> None:
    assert read_file(config(folder)) == b"dry_run = true\n"


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    file = config(folder, mode=mode)
    assert (
        problem(file)
        == f"{file}: {file} may be written by others than its owner (mode {mode:o}); sudo chmod go-w {file}"
    )


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_may_write_in_is_refused(folder: Path, mode: int) -> None:
    file = config(folder)
    folder.chmod(mode)
    told = problem(file)
    assert str(folder) in told
    assert ("move the file" in told) == (mode == 0o1777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_or_folder_of_another_user_is_refused(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    file = config(inner)
    os.chown(inner, 4711, 4711)
    assert f"{inner} belongs to user 4711" in problem(file)
    os.chown(inner, 0, 0)
    os.chown(file, 4711, 4711)
    assert f"{file} belongs to user 4711" in problem(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_link_is_judged_by_what_it_leads_to(folder: Path) -> None:
    (folder / "there").mkdir()
    file = config(folder / "there")
    (folder / "here").mkdir()
    link = folder / "here" / "guard.toml"
    link.symlink_to(file)
    assert read_file(link)
    os.chown(folder / "there", 4711, 4711)
    assert "belongs to user 4711" in problem(link)


def test_what_is_no_file_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "is not a file" in problem(folder / "pipe")  # and does not wait for a writer
    assert "is not a file" in problem(folder)
    assert "cannot be read: No such file" in problem(folder / "missing")


def test_the_loop_gets_table_lock_and_pid(folder: Path) -> None:
    loop = folder / "loop.py"
    loop.write_text(LOOP, encoding="utf-8")
    table = make_table(None, b"", Around(["x"], str(folder / "run"), state_dir=str(folder / "state")))
    child = subprocess.run(
        [sys.executable, "-c", "import sys, marshal; from pathlib import Path; from oomlens.guard.config.launch import become_loop;"
         "become_loop(marshal.loads(sys.stdin.buffer.read()), loop=Path(sys.argv[1]))", str(loop)],
        input=marshal.dumps(table), capture_output=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    words = child.stdout.decode().split()
    assert words[:3] == ["server", "True", "True"]
    assert words[4:] == ["1", "1"]


def test_a_second_guard_is_refused_by_the_pid_of_the_first(folder: Path) -> None:
    started: list[Sequence[str]] = []
    table = make_table(None, b"", Around(["x"], str(folder / "run"), state_dir=str(folder / "state")))
    first = folder / "run"
    first.mkdir()
    lock = take_lock(str(first))
    try:
        with pytest.raises(LaunchError, match="locked") as caught:
            become_loop(table, lambda _, argv: started.append(argv))
        assert caught.value.detail == str(os.getpid())
        assert not started
    finally:
        os.close(lock)
    become_loop(table, lambda _, argv: started.append(argv))
    assert started[0][:3] == [sys.executable, "-I", "-S"]
    assert started[0][3].endswith("oomlens/guard/loop/__main__.py")


def test_a_run_folder_that_others_may_write_in_is_refused(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run").chmod(0o777)
    table = make_table(None, b"", Around(["x"], str(folder / "run"), state_dir=str(folder / "state")))
    with pytest.raises(LaunchError, match="foreign-folder"):
        become_loop(table, lambda *_: None)


def test_where_a_guard_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    place = around(
        root="/", preset=None, dry_run=False, environment={"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/a"}
    )
    assert (place.run_dir, place.state_dir) == ("/run/user/1000/oomlens/guard", "/home/a/.local/state/oomlens")
    assert make_table(None, b"", place)["log_file"] == "/home/a/.local/state/oomlens/guard.jsonl"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    elsewhere = around(root="/x", preset=None, dry_run=False, environment={})
    assert elsewhere.run_dir == "/x/run/oomlens/guard"
    assert make_table(None, b"", elsewhere)["log_file"] == "/x/var/log/oomlens/guard.jsonl"


def test_a_log_folder_that_cannot_be_made_does_not_stop_the_guard(folder: Path) -> None:
    (folder / "state").write_text("a file", encoding="utf-8")
    table = make_table(None, b"", Around(["x"], str(folder / "run"), state_dir=str(folder / "state")))
    started: list[Sequence[str]] = []
    become_loop(table, lambda _, argv: started.append(argv))
    assert len(started) == 1


def test_the_program_starts_itself_again_from_anywhere(folder: Path) -> None:
    file = config(folder)
    argv = [*this_program(), "guard", "config", "--compile", str(file)]
    told = subprocess.run(argv, capture_output=True, check=True, cwd="/", env={}).stdout
    assert marshal.loads(told)["dry_run"] is True  # noqa: S302
    bad = config(folder, "dry_run = 1\n")
    failed = subprocess.run([*argv[:-1], str(bad)], capture_output=True, check=False, cwd="/", env={})
    assert failed.returncode == 1
    assert not failed.stdout
    assert f"{bad}:1:11: " in failed.stderr.decode()


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config(folder)
    assert main(["--lang", "en", "guard", "config", "--check", str(file)]) == 0
    assert "is good: preset server, 1 scopes" in capsys.readouterr().out
    assert main(["--lang", "en", "guard", "--preset", "desktop", "config", "--format", "json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["preset"] == "desktop"
    assert main(["--lang", "en", "guard", "config", "--show", "servr"]) == 2
    assert "try: server" in capsys.readouterr().err
    assert main(["--lang", "en", "guard", "--preset", "servr"]) == 1
    assert "there is no preset servr" in capsys.readouterr().err
    assert main(["--lang", "en", "guard", "--config", str(folder / "none.toml")]) == 1
    assert "none.toml: cannot be read" in capsys.readouterr().err
    bad = config(folder, "[memory]\nkil = 1\nwarn = 2\n")
    assert main(["--lang", "ja", "guard", "config", str(bad)]) == 1
    told = capsys.readouterr().err
    assert f"{bad}:2:1: " in told
    assert f"{bad}:3:8: " in told
