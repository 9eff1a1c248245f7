"""Finds where a program is started: the file that a person names, or what its target tells."""

from __future__ import annotations

from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import Target
from oomlens.host.read.yaml_places import read_yaml
from oomlens.i18n import message
from oomlens.model.plan import FileFact, Refusal, Text
from oomlens.plan.start.place import FilePlace, HandPlace, Place, YamlPlace, refused
from oomlens.plan.start.yaml_env import places

_YAML = (".yaml", ".yml", ".json")


def named_place(reader: Reader, path: str, container: str | None, kind: str, target: str) -> Place | Refusal:
    """The place in a file that a person names."""
    try:
        fact = reader.tree.file(path)
    except OSError as error:
        return refused(
            kind, target, "unreadable", message("{path} cannot be read: {why}"), path=path, why=error.strerror or ""
        )
    if fact is None:
        return refused(kind, target, "no-file", message("There is no {path}."), path=path)
    return _in_yaml(fact, container, kind, target) if path.endswith(_YAML) else FilePlace(fact)


def _in_yaml(fact: FileFact, container: str | None, kind: str, target: str) -> Place | Refusal:
    text = read_yaml(fact.content)
    if text.problem is not None:
        return refused(
            kind, target, "not-yaml", message("{path} is no YAML yet: {why}"),
            Text(message("A template is changed where its values are; give the rendered file or the values by hand.")) if text.templated else None,
            path=fact.path, why=text.problem,
        )  # fmt: skip
    found = [place for place in places(text) if container in (None, place.name)]
    if len(found) == 1:
        return YamlPlace(fact, text, found[0])
    names = ", ".join(dict.fromkeys(place.name for place in places(text))) or "-"
    return refused(
        kind, target, "which-container", message("{path} holds several containers, or none of that name: {names}"),
        Text(message("Name one: --container NAME")), path=fact.path, names=names,
    )  # fmt: skip


def place_of(target: Target | None, name: str) -> Place:
    """Where a running target is started, as far as that can be known; else a person has to know."""
    names = target.names if target is not None else None
    if names is not None and names.pod_uid is not None:
        return HandPlace("kubernetes", names.container_name or name)
    if names is not None and names.container_id is not None:
        return HandPlace("docker", names.container_name or names.container_id[:12])
    return HandPlace("shell", name)
