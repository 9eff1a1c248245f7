"""What a place says already: options on its command line, and variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oomlens.plan.start import yaml_env
from oomlens.plan.start.place import HandPlace, Place, UnitPlace, YamlPlace
from oomlens.plan.start.unit_env import assigned
from oomlens.plan.start.variables import assignments
from oomlens.plan.start.words import options_in


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a program that does not run. options: of its command line. limit_of: what sets the limit."""

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limit_bytes: int | None = None
    limit_of: str = ""


def set_in_place(place: Place, variables: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Options outside of the variables, and the variables that it sets."""
    names = tuple(variables)
    if isinstance(place, YamlPlace):
        found = {name: yaml_env.variable(place.text, place.place, name) for name in names}
        return yaml_env.arguments(place.text, place.place), {name: value for name, value in found.items() if value}
    if isinstance(place, HandPlace) or place.file is None:
        return (), {}
    content = place.file.content
    text = content.decode("utf-8", "backslashreplace")
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    mine = [line for line in lines if not any(f"{name}=" in line for name in names)]
    if isinstance(place, UnitPlace):
        given = {name: assigned(content, name, place.section) for name in names}
        return options_in("\n".join(mine)), {name: each.value for name, each in given.items() if each is not None}
    return options_in("\n".join(mine)), _variables(text, names)


def _variables(text: str, names: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        try:
            last = assignments(text, name)[-1:]
        except ValueError:
            continue
        if last:
            found[name] = last[0].value
    return found
