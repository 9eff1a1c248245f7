"""The Compose file that a container was made of, changed where it says the limit, and nowhere else.

Compose Specification: `mem_limit`, `memswap_limit`, `pids_limit`, or `deploy.resources.limits`; a later file overrides an earlier one,
key by key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from oomlens.i18n import message
from oomlens.kernel.sizes import bytes_of, suffixed
from oomlens.model.container import UNLIMITED, Limits
from oomlens.model.plan import Effect, FileFact, Text
from oomlens.model.yaml_text import Node, YamlText
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.containers.facts import ComposeFile
from oomlens.plan.containers.recreate import CREATED_ANEW, Kept, Place, for_a_person, option
from oomlens.plan.yaml_edit import YamlEditError, spliced, splices_of
from oomlens.plan.yaml_find import find, scalar
from oomlens.plan.yaml_spell import Bare, Wanted

SERVICE = "com.docker.compose.service"
VERSION = "com.docker.compose.version"
_DEPLOY = ("deploy", "resources", "limits")
# Where each limit may stand: the old key of the service, and that below `deploy.resources.limits`; None: there is none.
_KEYS = {
    "memory_bytes": ("mem_limit", "memory"),
    "memsw_bytes": ("memswap_limit", None),
    "pids": ("pids_limit", "pids"),
}
_SIZE = re.compile(r"\s*\d+(?:\.\d+)?\s*(?P<unit>[kmgt]?)(?P<rest>i?b?)\s*", re.IGNORECASE | re.ASCII)


class ByHandError(Exception):
    """A file that a person has to change; the reason."""

    def __init__(self, text: str, **values: str | None) -> None:
        super().__init__(text)
        self.why = Text(text, values)


@dataclass(frozen=True, slots=True)
class _Service:
    """The service in one of the files."""

    name: str
    path: str
    file: FileFact
    yaml: YamlText
    node: Node

    def says(self, key: str) -> tuple[tuple[str, ...], str] | None:
        """Where and what it says of a limit."""
        old, below = _KEYS[key]
        for place in ((old,), (*_DEPLOY, below) if below else None):
            value = scalar(self.node, *place) if place else None
            if place and value is not None:
                return place, value
        return None


def compose(files: Sequence[ComposeFile], name: str, version: str | None, place: Place) -> Kept:
    """The steps for a service. version: of the Compose that made the container, where a label says it."""
    try:
        services = _services(files, name)
        changes = _changes(services, version, place)
        return _steps(services, changes, place)
    except ByHandError as problem:
        return for_a_person(
            place, files[-1].path, (f"{files[-1].path}: services: {name}:", *_lines(place.wanted)), problem.why
        )


def _lines(wanted: Limits) -> tuple[str, ...]:
    values = {"mem_limit": wanted.memory_bytes, "memswap_limit": wanted.memsw_bytes}
    found = tuple(f"  {key}: {option(value)}" for key, value in values.items() if value is not None)
    return (*found, f"  pids_limit: {wanted.pids}") if wanted.pids is not None else found


def _services(files: Sequence[ComposeFile], name: str) -> list[_Service]:
    """The service in each file that has it. Raises ByHandError."""
    found: list[_Service] = []
    for each in files:
        if each.file is None or each.yaml is None:
            raise ByHandError(message("{path} cannot be read here; change it where it is"), path=each.path)
        if each.yaml.problem is not None:
            raise ByHandError(
                message("{path} cannot be understood: {problem}"), path=each.path, problem=each.yaml.problem
            )
        if each.yaml.templated:
            raise ByHandError(message("{path} is a template: change its values where they come from"), path=each.path)
        if len(each.yaml.documents) != 1:
            raise ByHandError(message("{path} is not one YAML document"), path=each.path)
        node = find(each.yaml.documents[0], ("services", name))
        if node is not None:
            found.append(_Service(name, each.path, each.file, each.yaml, node))
    if not found:
        text = message("the service {service} does not stand in {path}: it may be included from another file")
        raise ByHandError(text, service=name, path=files[-1].path)
    return found


@dataclass(frozen=True, slots=True)
class _Change:
    """A value at a place below a service."""

    service: _Service
    place: tuple[str, ...]
    value: Wanted


def _changes(services: Sequence[_Service], version: str | None, place: Place) -> list[_Change]:
    """What has to be different, in the fewest places. Raises ByHandError."""
    wanted, changes = place.wanted, list[_Change]()
    if wanted.memory_bytes is not None:
        changes += _memory(services, version, wanted.memory_bytes)
    if wanted.memsw_bytes is not None and wanted.memory_bytes is not None:
        said = _last(services, "memsw_bytes")
        # Without a word of it, engines allow as much swap as memory.
        total = 2 * wanted.memory_bytes if said is None else _read(said[2])
        if total != wanted.memsw_bytes:
            home = said[0] if said is not None else changes[0].service if changes else services[-1]
            changes.append(_change(home, ("memswap_limit",), wanted.memsw_bytes, None if said is None else said[2]))
    if wanted.pids is not None:
        said = _last(services, "pids")
        home, at = (said[0], said[1]) if said is not None else (services[-1], ("pids_limit",))
        if said is None or said[2] != str(wanted.pids):
            changes.append(_change(home, at, wanted.pids, None if said is None else said[2], plain=True))
    return changes


def _memory(services: Sequence[_Service], version: str | None, wanted: int) -> list[_Change]:
    said = _last(services, "memory_bytes")
    if said is not None:
        home, at, value = said
        if any(scalar(one.node, "mem_limit") and scalar(one.node, *_DEPLOY, "memory") for one in services):
            text = message("{path} says the limit in two ways, mem_limit and deploy: change both")
            raise ByHandError(text, path=home.path)
        return [] if _read(value) == wanted else [_change(home, at, wanted, value)]
    home = services[-1]
    if find(home.node, ("extends",)) is not None:
        text = message("the service {service} extends another, which may have the limit: change it there")
        raise ByHandError(text, service=home.name)
    if find(home.node, (*_DEPLOY,)) is not None:
        return [_change(home, (*_DEPLOY, "memory"), wanted, None)]
    if (version or "").startswith("1.") and (scalar(home.yaml.documents[0], "version") or "").startswith("3"):
        text = message(
            "docker-compose {version} takes no mem_limit in a file of version 3, and ignores deploy without --compatibility"
        )
        raise ByHandError(text, version=version)
    return [_change(home, ("mem_limit",), wanted, None)]


def _last(services: Sequence[_Service], key: str) -> tuple[_Service, tuple[str, ...], str] | None:
    """The last file that says it, where, and what."""
    for service in reversed(services):
        said = service.says(key)
        if said is not None:
            return service, *said
    return None


def _read(value: str) -> int | None:
    """A limit as Compose reads it; None where it is no number."""
    return UNLIMITED if value.strip() == "-1" else bytes_of(value)


def _change(service: _Service, at: tuple[str, ...], wanted: int, said: str | None, *, plain: bool = False) -> _Change:
    """Raises ByHandError where a variable says it."""
    if said is not None and "$" in said:
        text = message("{path} takes the limit from a variable, {value}: change it in the .env file or the environment")
        raise ByHandError(text, path=service.path, value=said)
    if plain:
        return _Change(service, at, wanted)
    return _Change(service, at, _like(said, wanted))


def _like(said: str | None, wanted: int) -> Wanted:
    """A size written as the one that stands there."""
    if wanted == UNLIMITED:
        return UNLIMITED
    if said is None:
        return Bare(option(wanted))
    if said.strip().isdecimal():
        return wanted
    found = _SIZE.fullmatch(said)
    if found is None:
        return Bare(option(wanted))
    new = suffixed(wanted)
    digits, unit = (new[:-1], new[-1]) if not new[-1].isdecimal() else (new, "")
    unit = unit.lower() if found["unit"].islower() or not found["unit"] else unit
    return Bare(f"{digits}{unit}{found['rest'] if unit else ''}")


def _steps(services: Sequence[_Service], changes: Sequence[_Change], place: Place) -> Kept:
    """A step for each file that changes. Raises ByHandError."""
    warnings = _differing(services, place)
    steps = []
    title = CREATED_ANEW._replace(values={"container": place.container})
    for service in services:
        mine = [change for change in changes if change.service is service]
        if not mine:
            continue
        content = _edited(service, mine)
        try:
            step = edit_file(service.path, service.file, content, title, effect=Effect.RECREATION)
        except NotTextError as error:
            raise ByHandError(message("{path} is not UTF-8"), path=service.path) from error
        steps.append(replace(step, target=service.path))
    if steps:
        text = message("the next `docker compose up` creates {container} anew, because its Compose file has changed")
        warnings = (*warnings, Text(text, {"container": place.container}))
    return Kept(tuple(steps), warnings)


def _edited(service: _Service, changes: Sequence[_Change]) -> bytes:
    """Raises ByHandError."""
    wanted: dict[str, Wanted] = {}
    for change in changes:
        here = wanted
        for key in change.place[:-1]:
            here = here.setdefault(key, {})
        here[change.place[-1]] = change.value
    try:
        splices = splices_of(service.yaml, 0, ("services", service.name), wanted)
        return spliced(service.yaml.content, splices)
    except YamlEditError as error:
        reasons = {
            "alias": message("{path}: {where} is an alias, which stands for other places too"),
            "anchor": message("{path}: {where} is shared with other places by an anchor"),
            "merge": message("{path}: {where} is merged in from another place"),
            "duplicate": message("{path}: {where} stands there twice"),
            "template": message("{path}: {where} is made by a template"),
        }
        text = reasons.get(error.code, message("{path}: {where} is written in a way that cannot be changed in place"))
        raise ByHandError(text, path=service.path, where=error.where) from error


def _differing(services: Sequence[_Service], place: Place) -> tuple[Text, ...]:
    """Where the file and the container do not agree, somebody changed one of them since."""
    said, now = _last(services, "memory_bytes"), place.now.memory_bytes
    file_says = UNLIMITED if said is None else _read(said[2])
    if now is None or file_says is None or now == file_says or place.wanted.memory_bytes is None:
        return ()
    path = services[-1].path if said is None else said[0].path
    if file_says == UNLIMITED or now == UNLIMITED:
        text = message("{path} and the container did not agree about a limit before: somebody changed one of them")
        return (Text(text, {"path": path}),)
    text = message("{path} says {file_bytes}, the container had {now_bytes}: somebody changed one of them")
    return (Text(text, {"path": path, "file_bytes": file_says, "now_bytes": now}),)
