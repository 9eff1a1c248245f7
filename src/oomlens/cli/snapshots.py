"""What the verbs about the live machine share: their options, and reading."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.containers import ContainerLabels
    from oomlens.model.history import ContainerLabel
    from oomlens.model.report import CgroupNames
    from oomlens.model.snapshot import Snapshot


def add_root(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """--root, for the host's /proc and /sys mounted in a container."""
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR",
        help=tr("read DIR/proc and DIR/sys: the host's, mounted in a container"),
    )  # fmt: skip


def at_least_one(text: str) -> int:
    """A number of rows."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 on, such as 10")
    return int(text)


def read(root: Path, **options: Any) -> Snapshot:
    """The machine below a root."""
    from oomlens.host.read.snapshot import read_snapshot

    return read_snapshot(proc=root / "proc", sys=root / "sys", cgroup=root / "sys/fs/cgroup", **options)


def read_named(root: Path, **options: Any) -> Snapshot:
    """The machine below a root, its containers and pods with the names that their engines left on the disk."""
    snapshot = read(root, **options)
    labels = _labels_of(root).labels(usage.names for usage in snapshot.cgroups)
    if not labels:
        return snapshot
    cgroups = tuple(
        usage if (label := labels.get(usage.path)) is None else replace(usage, names=_named(usage.names, label))
        for usage in snapshot.cgroups
    )
    return replace(snapshot, cgroups=cgroups)


@lru_cache(maxsize=1)
def _labels_of(root: Path) -> ContainerLabels:
    """They remember what they read, for a verb that reads again and again."""
    from oomlens.host.read.containers import ContainerLabels

    return ContainerLabels(root)


def _named(names: CgroupNames, label: ContainerLabel) -> CgroupNames:
    return replace(
        names, container_name=names.container_name or label.name, pod_name=label.pod_path if label.namespace else None
    )
