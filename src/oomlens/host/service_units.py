"""What a systemd service of ours is started with, and how its unit is put in place; see systemd.syntax(7), sd_booted(3)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import oomlens
from oomlens.host.read.tree import below
from oomlens.host.run import Output, find_program, run_program

Run = Callable[[Sequence[str]], Output]
WANTS = "/etc/systemd/system/multi-user.target.wants"
_MADE = "# Folders made for it: "


class InstallError(Exception):
    """Why nothing was changed. reference: kebab-case, stable; detail: what it is about."""

    def __init__(self, reference: str, detail: str = "") -> None:
        super().__init__(f"{reference}: {detail}")
        self.reference = reference
        self.detail = detail


class UnitError(ValueError):
    """Something cannot stand in a unit file."""


class Program(NamedTuple):
    """How a service is started. places: folders that its code is in. environment: what it needs beyond the command."""

    command: Sequence[str]
    places: Sequence[str] = ()
    environment: Mapping[str, str] = {}


class Unit(NamedTuple):
    """A unit file of ours. mark: its first line; with it goes a note of the folders that were made for it, so that they can be taken back."""

    name: str
    mark: str

    @property
    def path(self) -> str:
        """Where it lies, below the root."""
        return f"/etc/systemd/system/{self.name}"

    @property
    def link(self) -> str:
        """What starts it at boot."""
        return f"{WANTS}/{self.name}"

    def made_note(self, made: Sequence[str]) -> str:
        """The note's line, as it stands in the unit."""
        return f"{_MADE}{' '.join(made)}\n" if made else ""

    def is_ours(self, content: bytes) -> bool:
        """Whether a unit file was written by us."""
        return content.decode("utf-8", "replace").startswith(self.mark)

    def made_folders(self, content: bytes) -> list[str]:
        """The folders that were made for a unit, by its own note."""
        for line in content.decode("utf-8", "replace").splitlines():
            if line.startswith(_MADE):
                return line.removeprefix(_MADE).split(" ")
        return []


def word(text: str) -> str:
    """A word of a unit file's line: quoted, with what systemd would replace (% and $) doubled (systemd.syntax(7))."""
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise UnitError(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = text and all(character.isalnum() or character in "/._-+:=,@" for character in text)
    return escaped if plain else f'"{escaped}"'


def is_below(place: str, folders: Sequence[str]) -> bool:
    """Whether a place is one of the folders, or inside one."""
    return any(place == folder or place.startswith(folder + "/") for folder in folders)


def start_fields(program: Program, places: Sequence[str] = ()) -> dict[str, str]:
    """What a unit says of its program: command, environment, and which of the private folders it would not be found in (home, tmp).

    places: further folders that it reads or writes. Raises UnitError.
    """
    everywhere = (*program.places, *places)
    homes = any(is_below(place, ("/home", "/root", "/run/user")) for place in everywhere)
    temporary = any(is_below(place, ("/tmp", "/var/tmp")) for place in everywhere)  # noqa: S108
    return {
        "command": " ".join(word(part) for part in program.command),
        "environment": "".join(
            f"Environment={word(f'{name}={value}')}\n" for name, value in program.environment.items()
        ),
        "home": "read-only" if homes else "yes",
        "tmp": "no" if temporary else "yes",
    }


def this_program(arguments: Sequence[str], run: Run = run_program) -> Program:
    """How to start this very oomlens from anywhere, by its interpreter: `PATH` and the folder it is started in do not matter.

    arguments: what follows `oomlens`. Raises InstallError where this interpreter cannot start oomlens.
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
            return Program([*start, "-m", "oomlens", *arguments], places, environment)
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


def systemctl(run: Run, *commands: Sequence[str]) -> list[Output]:
    """Runs the commands up to the first that fails; nothing where there is no systemctl."""
    program = find_program("systemctl")
    if program is None:
        return []
    answers: list[Output] = []
    for command in commands:
        answers.append(run([program, *command]))
        if answers[-1].returncode != 0:
            break
    return answers
