"""The guard's systemd unit: what is in it, that taking it back leaves no trace; and what a killed guard left is lifted."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from oomlens.guard.people import install, unit
from oomlens.guard.people.restore import restore
from oomlens.host.service_units import InstallError, Program, UnitError

PROGRAM = Program(["/opt/venv/bin/python", "-I", "-m", "oomlens", "guard"], ["/opt/venv/bin/python"])
RESTORE = ["/opt/venv/bin/python", "-I", "-m", "oomlens", "guard", "restore"]


def tree(root: Path) -> list[tuple[str, int, bytes]]:
    return [
        (str(place), place.lstat().st_mode, place.read_bytes() if place.is_file() else b"")
        for place in sorted(root.rglob("*"))
    ]


def test_taking_it_back_leaves_the_tree_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etc/systemd").mkdir(parents=True)
    before = tree(tmp_path)
    assert main(["--lang", "en", "guard", "install", "--root", str(tmp_path), "--preset", "desktop", "--yes"]) == 0
    text = (tmp_path / unit.UNIT.path[1:]).read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert "guard --preset desktop\n" in text
    assert (tmp_path / unit.UNIT.link[1:]).is_symlink()
    assert main(["--lang", "en", "guard", "uninstall", "--root", str(tmp_path), "--yes"]) == 0
    assert tree(tmp_path) == before
    assert main(["--lang", "en", "guard", "uninstall", "--root", str(tmp_path), "--yes"]) == 1
    assert "nothing to remove" in capsys.readouterr().err


def test_nothing_is_written_without_a_yes(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd").mkdir(parents=True)
    before = tree(tmp_path)
    assert main(["--lang", "en", "guard", "install", "--root", str(tmp_path)]) == 1
    assert tree(tmp_path) == before


def test_a_unit_of_somebody_else_stays(tmp_path: Path) -> None:
    place = tmp_path / unit.UNIT.path[1:]
    place.parent.mkdir(parents=True)
    place.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    with pytest.raises(InstallError, match="foreign-unit"):
        install.planned_unit(PROGRAM, RESTORE, tmp_path, unit.Needs())
    with pytest.raises(InstallError, match="foreign-unit"):
        install.uninstall(tmp_path)


def test_what_it_may_do_follows_the_configuration() -> None:
    table: dict[str, Any] = {"tell_argv": [], "scopes": [{"steps": []}]}
    plain = unit.unit_text(PROGRAM, RESTORE, needs=install.needs_of(table))
    assert "IPAddressDeny=any" in plain
    assert "CAP_SETUID" not in plain
    webhook = install.needs_of({**table, "tell_argv": ["x", "--webhook", "@/etc/url"]})
    assert "IPAddressDeny" not in unit.unit_text(PROGRAM, RESTORE, needs=webhook)
    desktop = unit.unit_text(PROGRAM, RESTORE, needs=install.needs_of({**table, "tell_argv": ["x", "--desktop"]}))
    assert "CAP_SETUID" in desktop
    hook = install.needs_of({**table, "scopes": [{"steps": [{"do": "hook"}]}]})
    assert hook.programs


def test_a_path_that_a_unit_cannot_name_is_refused() -> None:
    with pytest.raises(UnitError):
        unit.unit_text(Program(["/opt/x\nExecStart=/bin/evil"]), RESTORE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    place = tmp_path / unit.UNIT.name
    # Programs that are there, for their absence would be told.
    text = unit.unit_text(Program(["/bin/true"]), ["/bin/true"])
    place.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(place)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if unit.UNIT.name in line] == []


def left(root: Path, *rows: object) -> Path:
    run_dir = root / "run/oomlens/guard"
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "undo.json").write_text(json.dumps(rows), encoding="utf-8")
    return run_dir


def test_what_was_left_is_lifted_where_it_still_stands(tmp_path: Path) -> None:
    group = tmp_path / "sys/fs/cgroup/app.slice"
    group.mkdir(parents=True)
    (group / "cgroup.freeze").write_text("1\n", encoding="ascii")
    (group / "memory.high").write_text("777\n", encoding="ascii")
    run_dir = left(
        tmp_path,
        {"path": str(group / "cgroup.freeze"), "value": "0", "wrote": "1"},
        {"path": str(group / "memory.high"), "value": "max", "wrote": "4096"},
        {"path": str(group.parent / "gone/cgroup.freeze"), "value": "0", "wrote": "1"},
    )
    assert [what for _, what in restore(run_dir, tmp_path)] == ["restored", "changed-since", "gone"]
    assert (group / "cgroup.freeze").read_text(encoding="ascii").startswith("0")
    assert (group / "memory.high").read_text(encoding="ascii") == "777\n"
    assert restore(run_dir, tmp_path) == []


@pytest.mark.parametrize("path", ["etc/passwd", "sys/fs/cgroup/../../../etc/passwd", "sys/fs/cgroup/a/cgroup.procs"])
def test_nothing_else_is_ever_written(tmp_path: Path, path: str) -> None:
    place = tmp_path / path
    (tmp_path / "sys/fs/cgroup/a").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    place.resolve().write_text("1", encoding="ascii")
    run_dir = left(tmp_path, {"path": f"{tmp_path}/{path}", "value": "0", "wrote": "1"})
    assert [what for _, what in restore(run_dir, tmp_path)] == ["refused"]
    assert place.resolve().read_text(encoding="ascii") == "1"


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "cgroup.freeze").write_text("1", encoding="ascii")
    mount = tmp_path / "sys/fs/cgroup"
    mount.mkdir(parents=True)
    (mount / "a").symlink_to(outside)
    run_dir = left(tmp_path, {"path": f"{mount}/a/cgroup.freeze", "value": "0", "wrote": "1"})
    assert [what for _, what in restore(run_dir, tmp_path)] == ["refused"]


def test_check_says_what_it_could_do(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--lang", "en", "guard", "check", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert states["meminfo"] == states["kill"] == "ok"
    assert (code == 0) is ("missing" not in states.values())
    (machine,) = [scope for scope in found["scopes"] if scope["name"] in ("machine", "container")]
    assert machine["kill_kb"] <= machine["term_kb"] <= machine["warn_kb"]
    assert machine["victim"] is None or machine["victim"]["pid"] != 1
    assert main(["--lang", "ja", "guard", "check"]) == code
    assert "machine" in capsys.readouterr().out or machine["name"] == "container"
