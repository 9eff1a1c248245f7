"""What the kinds that plan for a program share: sizes as arguments, the way to more memory, what verify counts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.kernel.sizes import bytes_of

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.host.read.targets import Target
    from oomlens.model.plan import Refusal, Watch
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
    from oomlens.host.read.targets import find_target
    from oomlens.i18n import message
    from oomlens.model.plan import Text
    from oomlens.plan.start.place import refused

    if not wanted:
        return None
    target = find_target(reader.snapshot, wanted)
    if target is None and reader.live and not wanted.isdecimal():
        known = container_id(reader, wanted)  # its name, which no cgroup tells
        target = None if known is None else find_target(reader.snapshot, known)
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


def limit_in(start: Start | None) -> tuple[int, str] | None:
    """The limit that a manifest or Compose file gives its container, and the file."""
    from oomlens.plan.start.place import YamlPlace
    from oomlens.plan.start.yaml_env import limit_of

    if start is None or not isinstance(start.place, YamlPlace):
        return None
    found = limit_of(start.place.text, start.place.place)
    return None if found is None else (found, start.place.file.path)


def watch(target: Target | None, *, machine: bool) -> Watch:
    """What verify counts."""
    from oomlens.model.plan import Watch

    if target is None:
        return Watch()
    names, cgroup = target.names, target.processes[0].cgroup
    ids = [] if names is None else [each for each in (names.container_id, names.container_name) if each]
    return Watch(
        cgroups=() if cgroup in (None, "/") else (str(cgroup),),
        units=(names.unit,) if names is not None and names.unit and not ids else (),
        containers=tuple(ids),
        machine=machine,
    )
