"""Writes and removes the recorder's systemd unit; what is there without us is never touched."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import oomlens
from oomlens.host.read.tree import below
from oomlens.host.run import Output, find_program, run_program
from oomlens.host.write.files import make_folders, remove_empty_folders, remove_file, replace_file, sync_folder
from oomlens.record import unit
from oomlens.record.unit import Program

Run = Callable[[Sequence[str]], Output]


class InstallError(Exception):
    """Why nothing was changed. reference: kebab-case, stable; detail: what it is about."""

    def __init__(self, reference: str, detail: str = "") -> None:
        super().__init__(f"{reference}: {detail}")
        self.reference = reference
        self.detail = detail


def this_program(arguments: Sequence[str], run: Run = run_program) -> Program:
    """How to start this very oomlens from anywhere, by its interpreter: `PATH` and the folder it is started in do not matter.

    arguments: what follows `record`. Raises InstallError where this interpreter cannot start oomlens.
    """
    package = Path(oomlens.__file__).resolve().parent.parent
    # Not resolved: the interpreter of a virtual environment is a link, and knows its environment by its own path.
    python = os.path.abspath(sys.executable)  # noqa: PTH100 - Path.resolve follows links
    places = [python, os.path.realpath(python), str(package), sys.prefix, sys.base_prefix]
    for flags, environment in (["-I"], {}), (["-P"], {"PYTHONPATH": str(package)}):
        start = [python, *flags]
        # `env -i`: as systemd would start it, without what this shell has.
        clean = [
            find_program("env") or "/usr/bin/env",
            "-i",
            *(f"{name}={value}" for name, value in environment.items()),
        ]
        found = run([*clean, *start, "-c", "import oomlens; print(oomlens.__file__)"])
        if found.returncode == 0 and os.path.realpath(found.stdout.strip()) == os.path.realpath(oomlens.__file__):
            return Program([*start, "-m", "oomlens", "record", *arguments], places, environment)
    raise InstallError("no-program", python)


def has_systemd(root: Path) -> bool:
    """Whether a machine is run by systemd (sd_booted(3)); below another root, whether it is installed there."""
    if str(root) == "/":
        return Path("/run/systemd/system").is_dir()
    return any(below(root, folder).is_dir() for folder in ("/usr/lib/systemd", "/lib/systemd", "/etc/systemd"))


def writable_by_others(program: Program) -> list[str]:
    """Places of the program that somebody else than root may change: a unit that runs as root must not run their code."""
    found: list[str] = []
    for place in program.places:
        with suppress(OSError):
            about = os.stat(place)  # noqa: PTH116 - follows links, as the interpreter does
            if about.st_uid != 0 or about.st_mode & 0o022:
                found.append(place)
    return list(dict.fromkeys(found))


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
    return _systemctl(run, ["daemon-reload"], ["restart", unit.NAME])


def uninstall(root: Path, run: Run = run_program) -> list[Output]:
    """Ends the service and removes the unit, its link and the folders made for them. Raises OSError, InstallError."""
    old = _current(root)
    if old is None:
        raise InstallError("not-installed", str(below(root, unit.PATH)))
    if not unit.is_ours(old):
        raise InstallError("foreign-unit", str(below(root, unit.PATH)))
    live = str(root) == "/"
    answers = _systemctl(run, ["stop", unit.NAME]) if live else []
    link = below(root, unit.WANTS) / unit.NAME
    if link.is_symlink():
        link.unlink()
    remove_file(below(root, unit.PATH))
    remove_empty_folders([below(root, folder) for folder in unit.made_folders(old)])
    return [*answers, *(_systemctl(run, ["daemon-reload"]) if live else [])]


def _systemctl(run: Run, *commands: Sequence[str]) -> list[Output]:
    program = find_program("systemctl")
    if program is None:
        return []
    answers: list[Output] = []
    for command in commands:
        answers.append(run([program, *command]))
        if answers[-1].returncode != 0:
            break
    return answers
