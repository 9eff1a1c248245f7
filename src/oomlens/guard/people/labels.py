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
    reader = ContainerLabels(root)
    known = reader.labels(group.names for group in groups)
    count = 0
    for path, container_id in ((group.names.path, group.names.container_id) for group in groups):
        if visible(path) != path:
            continue
        # What we call a container stands above what its owner wrote: `name` cannot be taken by a label.
        own = reader.own(container_id) if container_id is not None else {}
        label = known.get(path)
        for key, value in {**own, **(label._asdict() if label is not None else {})}.items():
            if isinstance(value, str) and value and visible(key) == key and count < _MOST_LINES:
                count += 1
                yield f"{path}\t{key}\t{visible(value)}\n"
