"""The files that start a systemd unit: what they say, and where a change of its variables and options takes effect.

Source: systemd.exec(5): EnvironmentFile= wins over Environment=; the last assignment wins.
"""

from __future__ import annotations

from oomlens.host.read.reader import Reader
from oomlens.host.read.unit_facts import read_unit
from oomlens.host.run import find_program
from oomlens.kernel.sizes import bytes_of
from oomlens.model.plan import Check, FileFact
from oomlens.plan.start.given import Given
from oomlens.plan.start.place import FilePlace, Place, Setting, Start, UnitPlace
from oomlens.plan.start.variables import assignments
from oomlens.plan.start.words import options_in
from oomlens.plan.units.facts import UnitFacts, own_dropin
from oomlens.plan.units.text import environment_of, value_of, values_of, words_of

_EDITABLE = ("/etc/", "/home/", "/opt/", "/root/", "/srv/", "/usr/local/", "/var/")
_SERVICE = "Service"
_PREFIXES = "@-:+!| "  # of ExecStart=, systemd.service(5)


def given_by_unit(reader: Reader, unit: str) -> Given:
    """The options, the variables and the limit that its next start will have, as its files say."""
    facts = read_unit(reader, unit)
    options = words_of((value_of(facts.contents, _SERVICE, "ExecStart") or "").lstrip(_PREFIXES))
    script = _script(reader, facts)
    if script is not None:
        lines = script.content.decode("utf-8", "backslashreplace").split("\n")
        options += options_in("\n".join(line for line in lines if not line.lstrip().startswith("#")))
    environment = environment_of(values_of(facts.contents, _SERVICE, "Environment"))
    for file in _environment_files(reader, facts):
        environment |= {name: value for name in _names(file) if (value := _assigned(file, name)) is not None}
    limit = value_of(facts.contents, facts.section, "MemoryMax")
    return Given(options, environment, bytes_of(limit) if limit else None, facts.name if limit else "")


def unit_start(reader: Reader, unit: str, setting: Setting) -> Start:
    """Where a setting of a unit is changed, and what follows."""
    facts = read_unit(reader, unit)
    place = _place(reader, facts, setting)
    return Start(place, facts.name, can_restart(reader), checks=(Check("root", facts.name),))


def can_restart(reader: Reader) -> bool:
    """Whether systemd can be told to restart a unit of this machine."""
    return reader.live and find_program("systemctl") is not None


def _place(reader: Reader, facts: UnitFacts, setting: Setting) -> Place:
    """What wins is changed where it stands: files of variables, the command line; else our drop-in, which comes after all others."""
    for fact in _environment_files(reader, facts):
        if fact.path.startswith(_EDITABLE) and (_assigned(fact, setting.variable) is not None or _holds(fact, setting)):
            return FilePlace(fact)
    files = (*((facts.fragment,) if facts.fragment is not None else ()), *facts.dropins)
    for fact in reversed(files):
        if fact.path.startswith("/etc/") and _holds(fact, setting):
            return UnitPlace(fact.path, fact)
    script = _script(reader, facts)
    if script is not None and _holds(script, setting):
        return FilePlace(script)
    path, own = own_dropin(facts)
    given = environment_of(values_of(facts.contents, _SERVICE, "Environment")).get(setting.variable)
    return UnitPlace(path, own, given=given)


def _environment_files(reader: Reader, facts: UnitFacts) -> tuple[FileFact, ...]:
    """Those that are there; a `-` in front says that one may be missing."""
    paths = (value.removeprefix("-").strip("\"'") for value in values_of(facts.contents, _SERVICE, "EnvironmentFile"))
    return tuple(fact for path in paths if path.startswith("/") and (fact := _file(reader, path)) is not None)


def _script(reader: Reader, facts: UnitFacts) -> FileFact | None:
    """The program of ExecStart=, where that is a script of the owner's."""
    words = words_of((value_of(facts.contents, _SERVICE, "ExecStart") or "").lstrip(_PREFIXES))
    fact = _file(reader, words[0]) if words and words[0].startswith(_EDITABLE) else None
    return fact if fact is not None and fact.content.startswith(b"#!") else None


def _names(fact: FileFact) -> tuple[str, ...]:
    """The names of the variables that a file assigns."""
    lines = fact.content.decode("utf-8", "surrogateescape").split("\n")
    names = (
        line.partition("=")[0].strip() for line in lines if "=" in line and not line.lstrip().startswith(("#", ";"))
    )
    return tuple(dict.fromkeys(name for name in names if name.isidentifier()))


def _assigned(fact: FileFact, variable: str) -> str | None:
    """What a file sets a variable to; "" where that is in a form which is left to a person."""
    try:
        found = assignments(fact.content.decode("utf-8", "surrogateescape"), variable)
    except ValueError:
        return ""
    return found[-1].value if found else None


def _holds(fact: FileFact, setting: Setting) -> bool:
    """Whether options that shall change stand in a file."""
    words = setting.words
    return words is not None and words.anchored_in(fact.content.decode("utf-8", "surrogateescape"))


def _file(reader: Reader, path: str) -> FileFact | None:
    try:
        return reader.tree.file(path)
    except OSError:
        return None
