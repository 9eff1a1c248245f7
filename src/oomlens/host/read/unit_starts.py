"""The files that start a systemd unit: where its variables and options can be changed, so that the change takes effect.

Sources: systemd.unit(5) for the folders and drop-ins, systemd.exec(5): EnvironmentFile= wins over Environment=.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from oomlens.host.read.reader import Reader
from oomlens.host.run import find_program
from oomlens.model.plan import FileFact
from oomlens.plan.containers.unit_text import settings_of, value_of
from oomlens.plan.start.place import FilePlace, Place, Setting, Start, UnitPlace
from oomlens.plan.start.unit_env import assigned
from oomlens.plan.start.variables import assignments

_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_OWN = "/etc/systemd/system"
_EDITABLE = ("/etc/", "/home/", "/opt/", "/root/", "/srv/", "/usr/local/", "/var/")
_DROP_IN = "90-oomlens-environment.conf"
_LATER = "zz-oomlens-environment.conf"
_SERVICE = "Service"


class UnitFiles:
    """A unit's own file, then its drop-ins in the order of their names; those that /etc hides are left out."""

    def __init__(self, reader: Reader, unit: str) -> None:
        self.unit = unit
        self._reader = reader
        names = dict.fromkeys((unit, re.sub(r"@.*\.", "@.", unit)))  # an instance, its template
        self.main = next(
            (fact for folder in _FOLDERS for name in names if (fact := _file(reader, f"{folder}/{name}"))), None
        )
        found: dict[str, str] = {}
        for folder in _FOLDERS:
            for name in names:
                for conf in reader.tree.names(f"{folder}/{name}.d"):
                    if conf.endswith(".conf"):
                        found.setdefault(conf, f"{folder}/{name}.d/{conf}")
        drop_ins = (_file(reader, found[name]) for name in sorted(found))
        self.all = tuple(fact for fact in (self.main, *drop_ins) if fact is not None)

    def values(self, key: str) -> Iterator[str]:
        """Those of a setting of [Service] that add up; an empty one begins anew."""
        found: list[str] = []
        for fact in self.all:
            for setting in settings_of(fact.content):
                if setting.section == _SERVICE and setting.key == key:
                    value = value_of(fact.content, setting)
                    found = [*found, value] if value else []
        yield from found

    def environment_files(self) -> tuple[FileFact, ...]:
        """Those that are there; a `-` in front says that one may be missing."""
        paths = (value.removeprefix("-").strip("\"'") for value in self.values("EnvironmentFile"))
        return tuple(fact for path in paths if path.startswith("/") and (fact := _file(self._reader, path)) is not None)

    def script(self) -> FileFact | None:
        """The program of ExecStart=, where that is a script of the owner's."""
        command = next(iter(self.values("ExecStart")), "").lstrip("@-:+!| ")
        path = command.split(None, 1)[0].strip("\"'") if command else ""
        fact = _file(self._reader, path) if path.startswith(_EDITABLE) else None
        return fact if fact is not None and fact.content.startswith(b"#!") else None

    def drop_in_path(self, setting: Setting) -> str:
        """A name of ours that comes after all that set the variable."""
        later = [
            PurePosixPath(fact.path).name for fact in self.all if assigned(fact.content, setting.variable, _SERVICE)
        ]
        name = _DROP_IN if all(each <= _DROP_IN or not each.endswith(".conf") for each in later) else _LATER
        return f"{_OWN}/{self.unit}.d/{name}"


def unit_start(reader: Reader, unit: str, setting: Setting) -> Start:
    """Where a setting of a unit is changed, and what follows."""
    files = UnitFiles(reader, unit)
    place = _place(files, setting, reader)
    return Start(place, unit, can_restart(reader))


def can_restart(reader: Reader) -> bool:
    """Whether systemd can be told to restart a unit of this machine."""
    return reader.live and find_program("systemctl") is not None


def _place(files: UnitFiles, setting: Setting, reader: Reader) -> Place:
    """What wins is changed where it stands: files of variables, the command line, Environment=; else a drop-in."""
    own = [fact for fact in files.environment_files() if fact.path.startswith(_EDITABLE)]
    for fact in own:
        if _assigns(fact, setting) or _holds(fact, setting):
            return FilePlace(fact)
    if setting.words is not None:
        script = files.script()
        command = [fact for fact in reversed(files.all) if fact.path.startswith("/etc/") and _holds(fact, setting)]
        if command and not assigned(command[0].content, setting.variable, _SERVICE):
            return UnitPlace(command[0].path, command[0])
        if script is not None and _holds(script, setting):
            return FilePlace(script)
    last = next((fact for fact in reversed(files.all) if assigned(fact.content, setting.variable, _SERVICE)), None)
    if last is not None and last.path.startswith("/etc/"):
        return UnitPlace(last.path, last)
    path = files.drop_in_path(setting)
    given = None if last is None else assigned(last.content, setting.variable, _SERVICE)
    return UnitPlace(path, _file(reader, path), given=None if given is None else given.value)


def _assigns(fact: FileFact, setting: Setting) -> bool:
    try:
        return bool(assignments(fact.content.decode("utf-8", "surrogateescape"), setting.variable))
    except ValueError:
        return True  # it does, in a form that is left to a person


def _holds(fact: FileFact, setting: Setting) -> bool:
    """Whether options that shall change stand in a file."""
    words = setting.words
    return words is not None and words.anchored_in(fact.content.decode("utf-8", "surrogateescape"))


def _file(reader: Reader, path: str) -> FileFact | None:
    try:
        return reader.tree.file(path)
    except OSError:
        return None
