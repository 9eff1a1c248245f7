"""What creates a container anew: where its variables are changed, so that the next one has them."""

from __future__ import annotations

import shlex

from oomlens.host.read.limit_container_facts import Asked, read_facts
from oomlens.host.read.reader import Reader
from oomlens.plan.containers.facts import Recreators
from oomlens.plan.start.place import HandPlace, Setting, Start, UnitPlace, YamlPlace
from oomlens.plan.start.unit_env import assigned
from oomlens.plan.start.yaml_env import places, variable

_SERVICE = "com.docker.compose.service"


def container_start(reader: Reader, name: str, setting: Setting) -> Start:
    """Its Compose file or quadlet; else a person has to create it anew."""
    facts = read_facts(Asked(name), reader)
    container = facts.container
    shown = container.name if container is not None else name
    service = container.labels.get(_SERVICE) if container is not None else None
    found = _in_compose(facts.recreators, service, setting) or _in_quadlet(facts.recreators, setting)
    return found or Start(HandPlace("docker", shown))


def container_id(reader: Reader, name: str) -> str | None:
    """The id of a container by its name, as its engine knows it."""
    container = read_facts(Asked(name), reader).container
    return None if container is None else container.id


def _in_compose(known: Recreators, service: str | None, setting: Setting) -> Start | None:
    """In the last file that sets the variable, else in the first that describes the service."""
    found = [
        YamlPlace(each.file, each.yaml, place)
        for each in known.compose
        if each.file is not None and each.yaml is not None and each.yaml.problem is None
        for place in places(each.yaml)
        if place.compose and place.name == service
    ]
    if not found:
        return None
    place = next(
        (each for each in reversed(found) if variable(each.text, each.place, setting.variable) is not None), found[0]
    )
    files = " ".join(f"-f {shlex.quote(each.path)}" for each in known.compose)
    return Start(place, again=(f"docker compose {files} up -d {shlex.quote(service or '')}",))


def _in_quadlet(known: Recreators, setting: Setting) -> Start | None:
    own = [each for each in known.quadlet if not each.vendor]
    if not own:
        return None
    home = next((each for each in reversed(own) if assigned(each.file.content, setting.variable, "Container")), own[0])
    place = UnitPlace(home.path, home.file, "Container")
    if known.of_user:
        return Start(
            place, again=("systemctl --user daemon-reload", f"systemctl --user restart {shlex.quote(known.unit or '')}")
        )
    return Start(place, known.unit, known.systemctl)
