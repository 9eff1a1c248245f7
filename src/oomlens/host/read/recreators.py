"""The files that create a container anew: Compose files, a quadlet, a unit that runs it. Found by its labels, its name, or named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from oomlens.host.read.reader import Reader
from oomlens.host.read.tree import Tree
from oomlens.host.read.yaml_places import read_yaml
from oomlens.host.run import find_program
from oomlens.model.container import EngineKind
from oomlens.plan.containers.facts import ComposeFile, Recreators, UnitFile

_FILES = "com.docker.compose.project.config_files"
_FOLDER = "com.docker.compose.project.working_dir"
UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"
# podman-systemd.unit(5), and systemd.unit(5); what stands first hides the later ones of the same name.
QUADLET_FOLDERS = ("/etc/containers/systemd", "/usr/share/containers/systemd")
OWN_QUADLETS = ".config/containers/systemd"
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_EDITABLE = ("/etc/", "/home/", "/root/")
# `docker` may be Podman's (podman-docker), `podman` is never Docker's.
_RUNS = {
    EngineKind.DOCKER: re.compile(rb"^\s*ExecStart\s*=.*\bdocker\b", re.MULTILINE),
    EngineKind.PODMAN: re.compile(rb"^\s*ExecStart\s*=.*\b(?:docker|podman)\b", re.MULTILINE),
}


class Named(NamedTuple):
    """Files that a person named; absolute paths, as the tree has them."""

    compose: tuple[str, ...] = ()
    quadlet: str | None = None
    unit: str | None = None


def recreators_of(
    named: Named, labels: Mapping[str, str], name: str, kind: EngineKind | None, reader: Reader
) -> Recreators:
    """What may create the container anew; those that a person named win. kind: whose container it is."""
    tree = reader.tree
    systemctl = reader.live and find_program("systemctl") is not None
    if named.compose or (not named.quadlet and not named.unit and labels.get(_FILES)):
        paths = named.compose or tuple(_compose_paths(labels))
        return Recreators(compose=tuple(_compose_file(path, tree) for path in paths))
    unit = labels.get(UNIT_LABEL)
    quadlet = named.quadlet or (None if named.unit or unit is None else _quadlet_of(unit, tree))
    if quadlet is not None:
        service = unit or f"{PurePosixPath(quadlet).stem}.service"
        own = quadlet.startswith(f"{Path.home()}/") and os.geteuid() != 0
        files = tuple(_with_drop_ins(quadlet, tree))
        return Recreators(quadlet=files, unit=service, systemctl=systemctl, of_user=own)
    path = named.unit or _unit_of(unit, name, kind, tree)
    if path is None:
        return Recreators(systemctl=systemctl)
    return Recreators(units=tuple(_with_drop_ins(path, tree)), unit=PurePosixPath(path).name, systemctl=systemctl)


def _compose_paths(labels: Mapping[str, str]) -> Iterator[str]:
    """Old releases write them relative to the project's folder."""
    for path in labels[_FILES].split(","):
        if path.strip():
            yield str(PurePosixPath(labels.get(_FOLDER) or "/", path.strip()))


def _compose_file(path: str, tree: Tree) -> ComposeFile:
    try:
        file = tree.file(path)
    except OSError:
        file = None
    return ComposeFile(path, file, None if file is None else read_yaml(file.content))


def _quadlet_of(unit: str, tree: Tree) -> str | None:
    """`web.service` is made of `web.container`, or of that with `ServiceName=web`; `web@1.service` of `web@.container`."""
    stem = re.sub(r"@.*", "@", unit.removesuffix(".service"))
    for folder in (f"{Path.home()}/{OWN_QUADLETS}", *QUADLET_FOLDERS):
        for path in _below(folder, ".container", tree):
            if PurePosixPath(path).stem == stem or f"ServiceName={stem}" in (tree.text(path) or "").splitlines():
                return path
    return None


def _below(folder: str, ending: str, tree: Tree, depth: int = 2) -> Iterator[str]:
    for name in tree.names(folder):
        path = f"{folder}/{name}"
        if name.endswith(ending):
            yield path
        elif depth and "." not in name:
            yield from _below(path, ending, tree, depth - 1)


def _unit_of(unit: str | None, name: str, kind: EngineKind | None, tree: Tree) -> str | None:
    """The unit by its name; else the only one that starts a container of this name."""
    if unit is not None:
        template = re.sub(r"@.*\.service$", "@.service", unit)
        paths = (f"{folder}/{each}" for folder in UNIT_FOLDERS for each in dict.fromkeys((unit, template)))
        return next((path for path in paths if _readable(path, tree)), None)
    if kind is None:
        return None
    wanted = re.compile(rb"--name[=\s]+['\"]?" + re.escape(name.encode()) + rb"['\"]?(?=\s|$)")
    found: dict[str, str] = {}
    for folder in UNIT_FOLDERS:
        for each in tree.names(folder):
            if not each.endswith(".service") or each in found:
                continue
            content = (_readable(f"{folder}/{each}", tree) or b"").replace(b"\\\n", b" ")
            if _RUNS[kind].search(content) and wanted.search(content):
                found[each] = f"{folder}/{each}"
    return next(iter(found.values())) if len(found) == 1 else None


def _readable(path: str, tree: Tree) -> bytes | None:
    try:
        file = tree.file(path)
    except OSError:
        return None
    return None if file is None else file.content


def _with_drop_ins(path: str, tree: Tree) -> Iterator[UnitFile]:
    """The file, then `NAME.d/*.conf` beside it and below /etc, in the order of their names."""
    own = PurePosixPath(path)
    folders = (f"{path}.d", f"/etc/systemd/system/{own.name}.d") if own.suffix == ".service" else (f"{path}.d",)
    drop_ins = {f"{folder}/{name}" for folder in folders for name in tree.names(folder) if name.endswith(".conf")}
    for each in (path, *sorted(drop_ins, key=lambda one: PurePosixPath(one).name)):
        try:
            file = tree.file(each)
        except OSError:
            continue
        if file is not None:
            yield UnitFile(each, file, vendor=not each.startswith(_EDITABLE))
