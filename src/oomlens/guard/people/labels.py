"""What containers are called, for rules that name a label: read from the engines' files, no engine is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from oomlens.host.read.cgroupfs import find_hierarchy, read_cgroups
from oomlens.host.read.containers import ContainerLabels
from oomlens.render.sanitize import visible

_MOST_LINES = 20_000


def label_lines(root: Path) -> Iterator[str]:
    """`cgroup TAB key TAB value`, a line each; a value cannot hold a tab or a line break, a cgroup whose path does is left out."""
    groups, _ = read_cgroups(find_hierarchy(root / "sys/fs/cgroup", root / "proc"))
    known = ContainerLabels(root).labels(group.names for group in groups)
    count = 0
    for path, label in known.items():
        if visible(path) != path:
            continue
        for key, value in label._asdict().items():
            if isinstance(value, str) and value and count < _MOST_LINES:
                count += 1
                yield f"{path}\t{key}\t{visible(value)}\n"
