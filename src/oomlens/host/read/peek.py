"""The few figures that tell whether memory gets short, read often and cheaply: files are kept open."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from oomlens.host.read.cgroupfs import Hierarchy
from oomlens.model.history import CgroupPeek, Peek

_MEMINFO = re.compile(rb"^(MemTotal|MemAvailable|SwapFree): +([0-9]{1,18}) kB", re.MULTILINE)
_STALLED = re.compile(rb"^some [^\n]*total=([0-9]{1,20})", re.MULTILINE)
_OOM_KILL = re.compile(rb"^oom_kill ([0-9]{1,20})", re.MULTILINE)
_USAGE = {1: "memory.usage_in_bytes", 2: "memory.current"}
_EVENTS = {1: "memory.oom_control", 2: "memory.events"}
_ENOUGH = 16 << 10  # longer than these files; vmstat has 6 KiB


class Peeker:
    """Reads the machine's and some cgroups' figures. Never raises; what cannot be read is None."""

    def __init__(self, proc: Path, hierarchy: Hierarchy | None) -> None:
        self._files = {name: _opened(proc / name) for name in ("meminfo", "pressure/memory", "vmstat")}
        self._hierarchy = hierarchy

    def peek(self, cgroups: Iterable[str] = ()) -> Peek:
        """The figures now. cgroups: paths of those that are looked at too."""
        meminfo = {name: int(kb) * 1024 for name, kb in _MEMINFO.findall(self._read("meminfo"))}
        stalled = _STALLED.search(self._read("pressure/memory"))
        kills = _OOM_KILL.search(self._read("vmstat"))
        return Peek(
            time.monotonic(),
            meminfo.get(b"MemTotal"),
            meminfo.get(b"MemAvailable"),
            meminfo.get(b"SwapFree"),
            int(stalled[1]) / 1e6 if stalled else None,
            int(kills[1]) if kills else None,
            {path: self._cgroup(path) for path in cgroups},
        )

    def close(self) -> None:
        """Gives the files back."""
        for descriptor in self._files.values():
            if descriptor is not None:
                os.close(descriptor)
        self._files = dict.fromkeys(self._files)

    def _read(self, name: str) -> bytes:
        descriptor = self._files[name]
        try:
            return os.pread(descriptor, _ENOUGH, 0) if descriptor is not None else b""
        except OSError:
            return b""

    def _cgroup(self, path: str) -> CgroupPeek:
        tree = self._hierarchy
        if tree is None or not (path + "/").startswith(tree.root.rstrip("/") + "/"):
            return CgroupPeek(None, None)
        folder = tree.place / path[len(tree.root.rstrip("/")) :].lstrip("/")
        usage, events = (_content(folder / names[tree.version]) for names in (_USAGE, _EVENTS))
        kills = _OOM_KILL.search(events)
        return CgroupPeek(int(usage) if usage.strip().isdigit() else None, int(kills[1]) if kills else None)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _content(path: Path) -> bytes:
    descriptor = _opened(path)
    if descriptor is None:
        return b""
    try:
        return os.read(descriptor, _ENOUGH)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
