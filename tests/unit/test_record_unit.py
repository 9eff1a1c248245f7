"""The recorder's systemd unit: what is in it, and that taking it back leaves no trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from oomlens.host import service_units
from oomlens.host.run import Output
from oomlens.host.service_units import InstallError, Program, Run, UnitError
from oomlens.record import install, unit
from support.fake_machine import write

PROGRAM = Program(["/opt/venv/bin/python", "-I", "-m", "oomlens", "record"], ["/opt/venv/bin/python", "/opt/venv"])


def tree(root: Path) -> dict[str, tuple[str, bytes | str, int]]:
    """Every entry with kind, content and mode."""
    found: dict[str, tuple[str, bytes | str, int]] = {}
    for place in sorted(root.rglob("*")):
        name, mode = str(place.relative_to(root)), place.lstat().st_mode
        if place.is_symlink():
            found[name] = "link", str(place.readlink()), mode
        else:
            found[name] = ("folder", "", mode) if place.is_dir() else ("file", place.read_bytes(), mode)
    return found


@pytest.mark.parametrize(
    "folders", [["etc/systemd/system/multi-user.target.wants"], ["etc/systemd"], ["usr/lib/systemd"]]
)
def test_taking_it_back_leaves_the_tree_as_it_was(tmp_path: Path, folders: Sequence[str]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    write(tmp_path / "etc/systemd/system.conf", "# mine\n")
    before = tree(tmp_path)
    text = install.planned_unit(PROGRAM, tmp_path, unit.DEFAULT_FOLDER)
    assert tree(tmp_path) == before  # planning changes nothing
    install.install(text, tmp_path)
    place = tmp_path / "etc/systemd/system/oomlens-record.service"
    assert place.read_text(encoding="utf-8") == text
    link = tmp_path / "etc/systemd/system/multi-user.target.wants/oomlens-record.service"
    assert str(link.readlink()) == unit.UNIT.path
    # Once more, with another command: the same folders are remembered.
    again = install.planned_unit(PROGRAM._replace(command=["/bin/x"]), tmp_path, unit.DEFAULT_FOLDER)
    install.install(again, tmp_path)
    install.uninstall(tmp_path)
    assert tree(tmp_path) == before
    with pytest.raises(InstallError, match="not-installed"):
        install.uninstall(tmp_path)


def test_a_unit_of_somebody_else_stays(tmp_path: Path) -> None:
    write(tmp_path / "etc/systemd/system/oomlens-record.service", "[Service]\nExecStart=/bin/true\n")
    before = tree(tmp_path)
    with pytest.raises(InstallError, match="foreign-unit"):
        install.planned_unit(PROGRAM, tmp_path, unit.DEFAULT_FOLDER)
    with pytest.raises(InstallError, match="foreign-unit"):
        install.uninstall(tmp_path)
    assert tree(tmp_path) == before


def test_something_in_the_wants_folder_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "etc/systemd").mkdir(parents=True)
    install.install(install.planned_unit(PROGRAM, tmp_path, unit.DEFAULT_FOLDER), tmp_path)
    other = tmp_path / "etc/systemd/system/multi-user.target.wants/other.service"
    other.symlink_to("/lib/systemd/system/other.service")
    install.uninstall(tmp_path)
    assert other.is_symlink()


def test_a_path_cannot_add_a_line_or_a_specifier() -> None:
    assert service_units.word("/a b/%i$HOME\"'\\") == '"/a b/%%i$$HOME\\"\'\\\\"'
    assert service_units.word("/usr/bin/python3.11") == "/usr/bin/python3.11"
    assert service_units.word("") == '""'
    with pytest.raises(UnitError):
        unit.unit_text(PROGRAM, folder="/x\nExecStartPre=/bin/evil")


def test_what_depends_on_where_the_code_is() -> None:
    plain = unit.unit_text(PROGRAM)
    assert "ProtectHome=yes\n" in plain
    assert "StateDirectory=oomlens/history\n" in plain
    assert "PrivateTmp=yes\n" in plain
    assert "CapabilityBoundingSet=CAP_SYSLOG CAP_SYS_PTRACE\n" in plain
    assert "ProtectHome=read-only\n" in unit.unit_text(PROGRAM._replace(places=["/home/mika/.local/bin/python"]))
    assert "PrivateTmp=no\n" in unit.unit_text(PROGRAM._replace(places=["/tmp/venv"]))
    elsewhere = unit.unit_text(PROGRAM, folder="/data/history", writable=["/srv/prom"])
    assert "ReadWritePaths=/data/history\nReadWritePaths=/srv/prom\n" in elsewhere
    assert "StateDirectory" not in elsewhere
    assert "CAP_DAC_OVERRIDE" in elsewhere


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_it_and_finds_it_well_closed(tmp_path: Path) -> None:
    place = tmp_path / unit.UNIT.name
    program = PROGRAM._replace(command=[sys.executable, "-I", "-m", "oomlens", "record"])
    place.write_text(unit.unit_text(program), encoding="utf-8")
    told = subprocess.run(["systemd-analyze", "verify", str(place)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    arguments = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(place)]
    judged = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if "unrecognized option" in judged.stderr:
        pytest.skip("this systemd-analyze cannot judge offline")
    # 2.0 of 10 at most: what it may do beyond that is its purpose.
    assert judged.returncode == 0, judged.stdout.splitlines()[-1:]


def answering(package: str | None) -> Run:
    """An interpreter that finds the package there, with -I; or nowhere."""

    def run(arguments: Sequence[str], **_options: object) -> Output:
        assert arguments[1] == "-i"
        return (
            Output(0, f"{package}\n", "") if package is not None and "-I" in arguments else Output(1, "", "No module")
        )

    return run


def test_it_is_started_by_the_interpreter_that_runs_now() -> None:
    import oomlens

    program = service_units.this_program(["record", "--keep", "2d"], answering(oomlens.__file__))
    assert list(program.command) == [sys.executable, "-I", "-m", "oomlens", "record", "--keep", "2d"]
    assert program.environment == {}
    with pytest.raises(InstallError, match="no-program"):
        service_units.this_program(["record"], answering(None))
    with pytest.raises(InstallError, match="no-program"):
        service_units.this_program(["record"], answering("/another/oomlens/__init__.py"))


def test_the_command_of_the_unit_really_starts() -> None:
    program = service_units.this_program(["record", "--help"])
    environment = dict(program.environment)
    done = subprocess.run(list(program.command), capture_output=True, text=True, check=False, env=environment, cwd="/")
    assert done.returncode == 0
    assert "record" in done.stdout


def test_code_that_others_may_change_is_pointed_out(tmp_path: Path) -> None:
    loose = tmp_path / "python"
    loose.write_bytes(b"")
    loose.chmod(0o777)
    assert str(loose) in service_units.writable_by_others(PROGRAM._replace(places=[str(loose), "/nowhere"]))
