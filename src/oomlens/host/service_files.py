"""Writes and removes the unit of a service of ours; what is there without us is never touched."""

from __future__ import annotations

from pathlib import Path

from oomlens.host.read.tree import below
from oomlens.host.run import Output, run_program
from oomlens.host.service_units import WANTS, InstallError, Run, Unit, systemctl
from oomlens.host.write.files import make_folders, remove_empty_folders, remove_file, replace_file, sync_folder


def folders_to_make(unit: Unit, root: Path) -> list[str]:
    """The folders that installing it makes, or has made. Raises InstallError where the unit is somebody else's."""
    old = _current(unit, root)
    if old is None:
        parts = [str(part) for part in reversed([Path(WANTS), *Path(WANTS).parents])]
        return [part for part in parts if not below(root, part).is_dir()]
    if not unit.is_ours(old):
        raise InstallError("foreign-unit", str(below(root, unit.path)))
    return unit.made_folders(old)


def install(unit: Unit, text: str, root: Path, run: Run = run_program) -> list[Output]:
    """Writes the unit and has it started at boot; on the running machine also now. Raises OSError, InstallError.

    Gives the programs' answers; the last that failed says what is wrong.
    """
    place, link = below(root, unit.path), below(root, WANTS) / unit.name
    make_folders(link.parent)
    replace_file(place, text.encode(), mode=0o644)
    if not link.is_symlink():
        link.symlink_to(unit.path)  # what `systemctl enable` does
        sync_folder(link.parent)
    if str(root) != "/":
        return []
    return systemctl(run, ["daemon-reload"], ["restart", unit.name])


def uninstall(unit: Unit, root: Path, run: Run = run_program) -> list[Output]:
    """Ends the service and removes the unit, its link and the folders made for them. Raises OSError, InstallError."""
    old = _current(unit, root)
    if old is None:
        raise InstallError("not-installed", str(below(root, unit.path)))
    if not unit.is_ours(old):
        raise InstallError("foreign-unit", str(below(root, unit.path)))
    live = str(root) == "/"
    answers = systemctl(run, ["stop", unit.name]) if live else []
    link = below(root, WANTS) / unit.name
    if link.is_symlink():
        link.unlink()
    remove_file(below(root, unit.path))
    remove_empty_folders([below(root, folder) for folder in unit.made_folders(old)])
    return [*answers, *(systemctl(run, ["daemon-reload"]) if live else [])]


def _current(unit: Unit, root: Path) -> bytes | None:
    try:
        return below(root, unit.path).read_bytes()
    except FileNotFoundError:
        return None
