"""What the kinds that plan for a program share: sizes as arguments, the way to more memory, what verify counts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.kernel.sizes import bytes_of

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.host.read.targets import Target
    from oomlens.model.plan import Refusal, Watch
    from oomlens.plan.start.given import Given
    from oomlens.plan.start.place import Start


def size(text: str) -> int:
    """A size of an argument, in bytes."""
    found = bytes_of(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size, such as 512M or 4G")
    return found


def absolute(path: str) -> str:
    """A file that a person names, from where they stand."""
    return str(Path.cwd() / path)


def found_target(reader: Reader, wanted: str | None, kind: str) -> Target | Refusal | None:
    """What is meant; None where nothing was named."""
    from oomlens.host.read.container_starts import container_id
    from oomlens.host.read.targets import Target, find_target
    from oomlens.host.read.unit_facts import read_unit
    from oomlens.i18n import message
    from oomlens.model.plan import Text
    from oomlens.model.report import CgroupNames
    from oomlens.plan.start.place import refused
    from oomlens.plan.units.facts import full_name

    if not wanted:
        return None
    target = find_target(reader.snapshot, wanted)
    if target is None and reader.live and not wanted.isdecimal():
        known = container_id(reader, wanted)  # its name, which no cgroup tells
        target = None if known is None else find_target(reader.snapshot, known)
    unit = read_unit(reader, full_name(wanted) or "") if target is None and full_name(wanted) else None
    if unit is not None and unit.known:
        target = Target("unit", unit.name, (), CgroupNames("", unit=unit.name))  # it does not run now
    if target is not None:
        return target
    text = message("Nothing that runs here is called {target}.")
    hint = message(
        "Give the pid, unit or container of something that runs; for what does not run: --limit SIZE and --in FILE"
    )
    return refused(kind, wanted, "not-running", text, Text(hint), target=wanted)


def raise_argv(target: Target | None, start: Start | None = None) -> tuple[str, ...]:
    """The arguments of `oomlens plan` that raise the limit, up to the size."""
    from oomlens.plan.start.place import YamlPlace

    if start is not None and isinstance(start.place, YamlPlace) and not start.place.place.compose:
        return ("limit", "kubernetes", start.place.file.path, "--container", start.place.place.name, "--limit")
    if target is None or target.names is None:
        return ()
    names = target.names
    if names.pod_uid is not None:
        return ("limit", "kubernetes", "--live", "--pod-uid", names.pod_uid, "--limit")
    if names.container_id is not None:
        return ("limit", "container", names.container_name or names.container_id, "--memory")
    return ("limit", "unit", names.unit, "--max") if names.unit is not None else ()


def given_in(
    reader: Reader, target: Target | None, start: Start | None, limit_bytes: int | None, variables: Iterable[str]
) -> Given:
    """What is known of a program that does not run: from the files of its unit, or the one that was named. limit_bytes: typed."""
    from oomlens.host.read.unit_starts import given_by_unit
    from oomlens.plan.start.given import Given, set_in_place
    from oomlens.plan.start.place import YamlPlace
    from oomlens.plan.start.yaml_env import limit_of

    given = given_by_unit(reader, target.name) if target is not None and target.kind == "unit" else Given()
    if start is not None:
        options, environment = set_in_place(start.place, variables)
        given = replace(given, options=(*given.options, *options), environment={**given.environment, **environment})
        if isinstance(start.place, YamlPlace):
            given = replace(
                given, limit_bytes=limit_of(start.place.text, start.place.place), limit_of=start.place.file.path
            )
    return given if limit_bytes is None else replace(given, limit_bytes=limit_bytes, limit_of="--limit")


def watch(target: Target | None, *, machine: bool) -> Watch:
    """What verify counts."""
    from oomlens.model.plan import Watch

    if target is None:
        return Watch()
    names, cgroup = target.names, next((each.cgroup for each in target.processes), None)
    ids = [] if names is None else [each for each in (names.container_id, names.container_name) if each]
    return Watch(
        cgroups=() if cgroup in (None, "/") else (str(cgroup),),
        units=(names.unit,) if names is not None and names.unit and not ids else (),
        containers=tuple(ids),
        machine=machine,
    )
