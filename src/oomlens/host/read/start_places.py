"""Finds where a program is started: the file that a person names, or what its target tells."""

from __future__ import annotations

from oomlens.host.read.container_starts import container_start
from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import Target
from oomlens.host.read.unit_starts import can_restart, unit_start
from oomlens.host.read.yaml_places import read_yaml
from oomlens.i18n import message
from oomlens.model.plan import FileFact, Refusal, Text
from oomlens.plan.start.place import FilePlace, HandPlace, Setting, Start, UnitPlace, YamlPlace, refused
from oomlens.plan.start.yaml_env import places

_YAML = (".yaml", ".yml", ".json")
_UNIT = (".service", ".conf", ".container")


def named_start(reader: Reader, path: str, container: str | None, kind: str, about: str) -> Start | Refusal:
    """The place in a file that a person names."""
    try:
        fact = reader.tree.file(path)
    except OSError as error:
        text = message("{path} cannot be read: {why}")
        return refused(kind, about, "unreadable", text, path=path, why=error.strerror or "")
    if fact is None:
        return refused(kind, about, "no-file", message("There is no {path}."), path=path)
    if path.endswith(_YAML):
        return _in_yaml(fact, container, kind, about)
    if path.endswith(_UNIT) and b"\n[" in b"\n" + fact.content:
        section = "Container" if path.endswith(".container") else "Service"
        return Start(UnitPlace(path, fact, section))
    return Start(FilePlace(fact))


def _in_yaml(fact: FileFact, container: str | None, kind: str, about: str) -> Start | Refusal:
    text = read_yaml(fact.content)
    if text.problem is not None:
        why = message("{path} is no YAML yet: {why}")
        hint = message("A template is changed where its values are; give the rendered file, or set the values by hand.")
        return refused(
            kind, about, "not-yaml", why, Text(hint) if text.templated else None, path=fact.path, why=text.problem
        )
    found = [place for place in places(text) if container in (None, place.name)]
    if len(found) == 1:
        return Start(YamlPlace(fact, text, found[0]))
    names = ", ".join(dict.fromkeys(place.name for place in places(text))) or "-"
    told = message("{path} holds several containers, or none of that name: {names}")
    name_one = Text(message("Name one: --container NAME"))
    return refused(kind, about, "which-container", told, name_one, path=fact.path, names=names)


def start_of(reader: Reader, target: Target | None, name: str, setting: Setting) -> Start:
    """Where a running target is started, as far as that can be known; else a person has to know."""
    names = target.names if target is not None else None
    if names is None:
        return Start(HandPlace("shell", name))
    if names.pod_uid is not None:
        return Start(HandPlace("kubernetes", names.container_name or name))
    if names.container_id is not None:
        return container_start(reader, names.container_name or names.container_id, setting)
    if names.unit is not None and names.unit.endswith(".service") and names.user_uid is None:
        return unit_start(reader, names.unit, setting)
    return Start(HandPlace("shell", name))


def again_of(reader: Reader, target: Target) -> Start:
    """How a running target is started anew, where nothing of its start is changed."""
    names = target.names
    if names is not None and names.unit is not None and names.unit.endswith(".service") and names.container_id is None:
        return Start(HandPlace("shell", target.name), names.unit, can_restart(reader))
    return Start(HandPlace("shell", target.name), again=("# start it anew",))
