"""A memory cgroup of the test's own on the running machine; skips with the reason where there may be none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

_numbers = count()


def _v2_root() -> Path | None:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and "memory" in (Path(place) / "cgroup.controllers").read_text(encoding="ascii").split():
            return Path(place)
    return None


def memcg_root() -> tuple[Path, int]:
    """Where memory cgroups can be made, and their version; skips where there is no such place."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make a memory cgroup")
    v1 = Path("/sys/fs/cgroup/memory")
    if (v1 / "memory.limit_in_bytes").exists():
        return v1, 1
    root = _v2_root()
    if root is None:
        pytest.skip("no memory controller here")
    return root, 2


@contextmanager
def own_memcg(limit_bytes: int) -> Iterator[Path]:
    """The folder of a new memory cgroup with that limit and no swap; removed at the end."""
    root, version = memcg_root()
    folder = root / f"oomlens-test-{os.getpid()}-{next(_numbers)}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"cannot make a memory cgroup: {error.strerror}")
    try:
        limits = (
            ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            if version == 1
            else ("memory.max", "memory.swap.max")
        )
        for name, value in zip(limits, (limit_bytes, limit_bytes if version == 1 else 0), strict=True):
            if (folder / name).exists():
                (folder / name).write_text(str(value), encoding="ascii")
        yield folder
    finally:
        for _ in range(50):
            try:
                folder.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def kills_in(folder: Path) -> int:
    """How often the kernel has killed in a cgroup."""
    name = "memory.events" if (folder / "memory.events").exists() else "memory.oom_control"
    lines = (line.split() for line in (folder / name).read_text(encoding="ascii").splitlines())
    return next(int(value) for key, value in lines if key == "oom_kill")
