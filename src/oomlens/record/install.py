"""Writes and removes the recorder's systemd unit; what is there without us is never touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oomlens.host.read.tree import below
from oomlens.host.run import Output, run_program
from oomlens.host.service_units import InstallError, Program, Run, systemctl
from oomlens.host.write.files import make_folders, remove_empty_folders, remove_file, replace_file, sync_folder
from oomlens.record import unit


def planned_unit(program: Program, root: Path, folder: str, writable: Sequence[str] = ()) -> str:
    """The unit's text as it would be installed. Raises InstallError, UnitError."""
    old = _current(root)
    if old is not None and not unit.is_ours(old):
        raise InstallError("foreign-unit", str(below(root, unit.PATH)))
    made = unit.made_folders(old) if old is not None else _missing(root, unit.WANTS)
    return unit.unit_text(program, folder=folder, made=made, writable=writable)


def _current(root: Path) -> bytes | None:
    try:
        return below(root, unit.PATH).read_bytes()
    except FileNotFoundError:
        return None


def _missing(root: Path, path: str) -> list[str]:
    """The folders on the way to a path that are not there yet, outermost first."""
    parts = [str(part) for part in reversed([Path(path), *Path(path).parents])]
    return [part for part in parts if not below(root, part).is_dir()]


def install(text: str, root: Path, run: Run = run_program) -> list[Output]:
    """Writes the unit and has it started at boot; on the running machine also now. Raises OSError, InstallError.

    Gives the programs' answers; the last that failed says what is wrong.
    """
    place, link = below(root, unit.PATH), below(root, unit.WANTS) / unit.NAME
    make_folders(link.parent)
    replace_file(place, text.encode(), mode=0o644)
    if not link.is_symlink():
        link.symlink_to(unit.PATH)  # what `systemctl enable` does
        sync_folder(link.parent)
    if str(root) != "/":
        return []
    return systemctl(run, ["daemon-reload"], ["restart", unit.NAME])


def uninstall(root: Path, run: Run = run_program) -> list[Output]:
    """Ends the service and removes the unit, its link and the folders made for them. Raises OSError, InstallError."""
    old = _current(root)
    if old is None:
        raise InstallError("not-installed", str(below(root, unit.PATH)))
    if not unit.is_ours(old):
        raise InstallError("foreign-unit", str(below(root, unit.PATH)))
    live = str(root) == "/"
    answers = systemctl(run, ["stop", unit.NAME]) if live else []
    link = below(root, unit.WANTS) / unit.NAME
    if link.is_symlink():
        link.unlink()
    remove_file(below(root, unit.PATH))
    remove_empty_folders([below(root, folder) for folder in unit.made_folders(old)])
    return [*answers, *(systemctl(run, ["daemon-reload"]) if live else [])]
