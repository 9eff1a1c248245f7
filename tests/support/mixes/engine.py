"""Runs a mix for real: makes its cgroups and processes, predicts before each step of the grower, and tells what the kernel did.

Needs root. On a machine that is used for anything else only the kind `cgroup` may be run.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from oomlens.host.read.live import KmsgStream
from oomlens.host.read.snapshot import read_snapshot
from oomlens.model.prediction import ScopePrediction, prediction_to_dict
from oomlens.model.snapshot import Snapshot
from oomlens.predict import predict
from support.mixes.draw import MIB, Mix, Place, Room, draw

_WORKER = Path(__file__).with_name("worker.py")
# Far from the end the steps are larger. What is available on a machine is only an estimate.
_FAR_STEP_BYTES = 2 * MIB
_NEAR_BYTES = 4 * MIB
_MACHINE_NEAR_BYTES = 24 * MIB
_REPLY_SECONDS = 20.0
# Version 2 counts that nobody could be killed; of version 1 only the silence tells.
_NOBODY_SECONDS = {1: 10.0, 2: 3.0}
_SETTLE_SECONDS = 0.4


@dataclass(slots=True)
class Run:
    """One mix while it runs. scopes: of the last snapshot before the kernel killed, and the step after it; lefts: the distances before each step."""

    mix: Mix
    top: Path
    version: int
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    scopes: tuple[ScopePrediction, ...] = ()
    snapshot_seconds: float = 0.0
    step_bytes: int = 0
    lefts: list[int] = field(default_factory=list)

    @property
    def grower(self) -> subprocess.Popen[bytes]:
        return self.children[self.mix.grower]

    def pids(self) -> list[int]:
        return [child.pid for child in self.children]


def run_mix(mix: Mix, root: Path, version: int) -> dict[str, Any]:
    """Runs it below the root of a cgroup tree; the result as JSON values, for `judge`."""
    with _cgroups(mix, root, version) as top, KmsgLog() as log:
        run = Run(mix, top, version)
        try:
            with _sysctl(mix):
                outcome = _carry_out(run)
                _settle(run)
            dead = [child.pid for child in run.children if child.poll() is not None]
        finally:
            _end(run.children)
        text = log.read()
    return {
        "seed": mix.seed,
        "kind": mix.kind,
        "kernel": os.uname().release,
        "version": version,
        "mix": mix.to_dict(),
        "outcome": outcome,
        "top": _path_of(top, root),
        "grower": run.grower.pid,
        "pids": run.pids(),
        "dead": dead,
        "step_bytes": run.step_bytes,
        "lefts": run.lefts,
        "snapshot_seconds": round(run.snapshot_seconds, 4),
        "scopes": [prediction_to_dict(scope) for scope in run.scopes if _concerns(scope, _path_of(top, root))],
        "log": text,
    }


def _path_of(folder: Path, root: Path) -> str:
    return "/" + str(folder.relative_to(root))


def _concerns(scope: ScopePrediction, top: str) -> bool:
    return scope.path is None or scope.path == top or scope.path.startswith(top + "/")


def _carry_out(run: Run) -> str:
    """Until the kernel kills: "kill"; "early": before anything could be predicted; "nobody": it found none; "stuck"."""
    before = _kills(run)
    for member in run.mix.members:
        run.children.append(_start(run, member.place, member.adj))
        child = run.children[-1]
        wishes = [("threads", member.threads), ("anon", member.anon_bytes), ("shared", member.shared_bytes)]
        if member.node is not None:
            wishes.insert(0, ("bind", member.node))
        for kind, size in wishes:
            if size and _ask(run, child, kind, size, before) != "done":
                return "early"
    while True:
        snapshot, took = _snapshot(policies=run.mix.kind == "mempolicy")
        if _kills(run) > before:
            return "kill" if run.scopes else "early"  # while it was being read: the one before counts
        scopes = _predict(run, snapshot)
        left = _distance(run, scopes)
        near = left < (_NEAR_BYTES if run.mix.kind == "cgroup" else _MACHINE_NEAR_BYTES)
        run.scopes, run.snapshot_seconds = scopes, took
        run.lefts.append(left)
        run.step_bytes = run.mix.step_bytes if near else _FAR_STEP_BYTES
        told = _ask(run, run.grower, run.mix.grows, run.step_bytes, before)
        if told != "done":
            return "early" if told == "kill" and not run.scopes else told


def _snapshot(*, policies: bool) -> tuple[Snapshot, float]:
    begun = time.monotonic()
    snapshot = read_snapshot(policies=policies)
    return snapshot, time.monotonic() - begun


def _predict(run: Run, snapshot: Snapshot) -> tuple[ScopePrediction, ...]:
    own = os.getpid()
    others = tuple(each for each in snapshot.processes if each.pid != own)
    first = frozenset([1])
    bound = {"cpuset": {"nodes": first}, "mempolicy": {"policy_nodes": first}}.get(run.mix.kind, {})
    return predict(Snapshot(snapshot.host, snapshot.cgroups, others), **bound)


def _distance(run: Run, scopes: Sequence[ScopePrediction]) -> int:
    """To the nearest end of the grower's; the machine's own only where the mix is about that."""
    place = run.mix.members[run.mix.grower].place or ""
    path = f"/{run.top.name}/{place}".rstrip("/")
    paths: set[str | None] = {path[:cut] for cut in _cuts(path)}
    if run.mix.kind != "cgroup":
        paths.add(None)
    found = [scope.distance_bytes for scope in scopes if scope.path in paths and scope.distance_bytes is not None]
    return min(found, default=0)


def _cuts(path: str) -> Iterator[int]:
    yield from (index for index, letter in enumerate(path) if letter == "/" and index)
    yield len(path)


def _start(run: Run, place: str | None, adj: int) -> subprocess.Popen[bytes]:
    folder = None if place is None else run.top / place

    def move() -> None:
        if folder is not None:
            (folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        Path("/proc/self/oom_score_adj").write_text(str(adj), encoding="ascii")

    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_WORKER)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=move,
    )  # fmt: skip


def _ask(run: Run, child: subprocess.Popen[bytes], kind: str, size: int, before: int) -> str:
    """One wish: "done", "kill" where the kernel killed meanwhile, "nobody", "stuck"."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(b"%s %d\n" % (kind.encode(), size))
        child.stdin.flush()
    except BrokenPipeError:
        return "kill"
    end = time.monotonic() + _REPLY_SECONDS
    asked = time.monotonic()
    while time.monotonic() < end:
        ready, _, _ = select.select([child.stdout], [], [], 0.05)
        if _kills(run) > before:
            return "kill"
        if ready:
            return "done" if child.stdout.readline() else "kill"
        if time.monotonic() - asked > _NOBODY_SECONDS[run.version] and _ooms(run) > 0:
            return "nobody"
    return "stuck"


def _kills(run: Run) -> int:
    if run.mix.kind != "cgroup":
        return _counter(Path("/proc/vmstat"), "oom_kill")
    if run.version == 2:
        return _counter(run.top / "memory.events", "oom_kill")
    return sum(_counter(folder / "memory.oom_control", "oom_kill") for folder in _folders(run.top))


def _ooms(run: Run) -> int:
    """How often a limit was hit with nothing left to reclaim; version 1 does not count that."""
    if run.mix.kind != "cgroup":
        return 0
    return _counter(run.top / "memory.events", "oom") if run.version == 2 else 1


def _counter(file: Path, name: str) -> int:
    try:
        lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    except FileNotFoundError:
        return 0
    return next((int(value) for key, value in lines if key == name), 0)


def _folders(top: Path) -> list[Path]:
    return [top, *(Path(folder) / name for folder, names, _ in os.walk(top) for name in names)]


def _settle(run: Run) -> None:
    """Until what was killed has ended, and nobody else has followed for a moment."""
    end = time.monotonic() + 10
    dead, since = -1, time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < _SETTLE_SECONDS:
        now = sum(child.poll() is not None for child in run.children)
        if now != dead:
            dead, since = now, time.monotonic()
        time.sleep(0.02)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.kill()
    for child in children:
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


@contextmanager
def _cgroups(mix: Mix, root: Path, version: int) -> Iterator[Path]:
    top = root / f"oomlens-mix-{os.getpid()}-{mix.kind}-{mix.seed}"
    made: list[Path] = []
    try:
        for place in mix.places:
            folder = top / place.name
            if version == 2 and place.name:
                _enable(folder.parent, mix)
            folder.mkdir()
            made.append(folder)
            _limit(folder, place, version, mix)
        yield top
    finally:
        for folder in reversed(made):
            _remove(folder)


def _enable(folder: Path, mix: Mix) -> None:
    wanted = "+memory +cpuset" if mix.kind == "cpuset" else "+memory"
    (folder / "cgroup.subtree_control").write_text(wanted, encoding="ascii")


def _limit(folder: Path, place: Place, version: int, mix: Mix) -> None:
    if version == 1:
        with suppress(OSError):  # from 5.11 on it is always set
            (folder / "memory.use_hierarchy").write_text(str(int(mix.hierarchical)), encoding="ascii")
        values = {"limit_in_bytes": place.max_bytes}
        if place.max_bytes is not None and place.swap_bytes is not None:
            values["memsw.limit_in_bytes"] = place.max_bytes + place.swap_bytes
    else:
        values = {"max": place.max_bytes, "swap.max": place.swap_bytes, "oom.group": 1 if place.group else None}
    for name, value in values.items():
        file = folder / f"memory.{name}"
        if value is not None and file.exists():
            file.write_text(str(value), encoding="ascii")
    if place.nodes is not None:
        (folder / "cpuset.mems").write_text(place.nodes, encoding="ascii")


def _remove(folder: Path) -> None:
    for _ in range(100):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.05)
        else:
            return


@contextmanager
def _sysctl(mix: Mix) -> Iterator[None]:
    """Only in a machine of the mix's own."""
    file = Path("/proc/sys/vm/oom_kill_allocating_task")
    if not mix.kill_the_asker:
        yield
        return
    file.write_text("1", encoding="ascii")
    try:
        yield
    finally:
        file.write_text("0", encoding="ascii")


class KmsgLog:
    """What the kernel logs from now on."""

    def __enter__(self) -> Self:
        self._stream = KmsgStream(Path("/dev/kmsg"), from_end=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self) -> str:
        """All of it, as /dev/kmsg gives records."""
        parts: list[bytes] = []
        while part := self._stream.read(1 << 20):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "backslashreplace")


def room_of(kind: str, version: int) -> Room:
    """What there is for mixes of that kind now."""
    host = read_snapshot().host
    swap = host.meminfo.get("swap_free_bytes", 0)
    if kind in ("cpuset", "mempolicy"):
        free = next(node.counters["mem_free_bytes"] for node in host.nodes or () if node.node == 1)
    else:
        free = host.meminfo["mem_available_bytes"] + swap // 2
    return Room(free, swap, version, _may_protect())


def _may_protect() -> bool:
    """CAP_SYS_RESOURCE (24), without which a score cannot be lowered."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return bool(int(status.partition("CapEff:")[2].split()[0], 16) >> 24 & 1)


def _stay_in_memory() -> None:
    """mlockall(2), now and later: where the whole machine is full, whoever watches must not be paged out; neither is the interpreter."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).mlockall(3) != 0:
        raise OSError(ctypes.get_errno(), "mlockall")


def main(arguments: list[str]) -> int:
    """FOLDER KIND FIRST COUNT: mixes below a cgroup tree's root, a line of JSON each."""
    folder, kind, first, count = arguments
    root = Path(folder)
    if kind != "cgroup":
        _stay_in_memory()
    version = 2 if (root / "cgroup.controllers").exists() else 1
    for seed in range(int(first), int(first) + int(count)):
        mix = draw(seed, kind, room_of(kind, version))
        sys.stdout.write(json.dumps(run_mix(mix, root, version)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
