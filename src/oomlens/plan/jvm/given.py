"""Facts of a JVM that does not run here: what a person typed, and what stands where it is started."""

from __future__ import annotations

from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.start import yaml_env
from oomlens.plan.start.place import FilePlace, Place, YamlPlace
from oomlens.plan.start.variables import assignments
from oomlens.plan.start.words import options_in
from oomlens.runtimes.jvm_flags import VARIABLES, flag_of, read_flags, words
from oomlens.runtimes.jvm_version import JvmVersion


def given_facts(target: str, flags: str, place: Place, limit_bytes: int | None, version: JvmVersion | None) -> JvmFacts:
    """flags: typed; they come after those of the place."""
    told, environment = set_in_place(place)
    given = read_flags(("java", *told, *words(flags)), environment)
    return JvmFacts(target, given, version, limit_bytes=limit_bytes, limit_of="--limit" if limit_bytes else "")


def set_in_place(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    """Flags on the command line, and the JVM's variables, as a file has them."""
    if isinstance(place, YamlPlace):
        found = {name: yaml_env.variable(place.text, place.place, name) for name in VARIABLES}
        options = yaml_env.arguments(place.text, place.place)
        return _flags(options), {name: value for name, value in found.items() if value}
    if not isinstance(place, FilePlace):
        return (), {}
    text = place.file.content.decode("utf-8", "backslashreplace")
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    mine = [line for line in lines if not any(f"{name}=" in line for name in VARIABLES)]
    return _flags(options_in("\n".join(mine))), _variables(text)


def _flags(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(option for option in options if flag_of(option) is not None)


def _variables(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in VARIABLES:
        try:
            last = assignments(text, name)[-1:]
        except ValueError:
            continue
        if last:
            found[name] = last[0].value
    return found
