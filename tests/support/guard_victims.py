"""Processes for the guard to find: in a memory cgroup of the test's own, bounded, and ended at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MIB = 1 << 20
_ENTER = """
import ctypes, os, signal, sys, time
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
"""
# At most so many steps of so many MiB, then it only waits.
GROW = """
held = []
for _ in range(int(sys.argv[2])):
    held.append(b"x" * (int(sys.argv[3]) << 20))
    time.sleep(float(sys.argv[4]))
print("full", flush=True)
time.sleep(600)
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
# clone(2) with CLONE_VM alone: another process in the same memory. It only waits in pause(3), on a stack of its own.
SHARE = """
libc = ctypes.CDLL(None)
stack = ctypes.create_string_buffer(65536)
top = (ctypes.addressof(stack) + 65536) & ~15
flags = 0x100 | signal.SIGCHLD
libc.clone(ctypes.cast(libc.pause, ctypes.c_void_p), ctypes.c_void_p(top), flags, None)
"""
# With CLONE_VFORK the parent waits for it in uninterruptible sleep that only SIGKILL ends.
SHARE_AND_WAIT = SHARE.replace("flags = 0x100", "flags = 0x4000 | 0x100")
SWARM = """
pids = []
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        held = bytearray(b"x") * (int(sys.argv[3]) << 10)
        time.sleep(600)
    pids.append(pid)
    time.sleep(float(sys.argv[4]))
print("full", flush=True)
for pid in pids:
    os.waitpid(pid, 0)
time.sleep(600)
"""

Process = subprocess.Popen[bytes]


class Victims:
    """Starts them in one cgroup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []

    def start(self, code: str, *words: float, uid: int | None = None, adj: int | None = None) -> Process:
        """words: the arguments of the code."""
        become = f"os.setgroups([]); os.setgid({uid}); os.setuid({uid})\n" if uid is not None else ""
        arguments = [str(self.folder), *(str(word) for word in words)]
        command = [sys.executable, "-I", "-S", "-c", _ENTER + become + code, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
        self.started.append(process)
        if adj is not None:
            try:
                Path(f"/proc/{process.pid}/oom_score_adj").write_text(str(adj), encoding="ascii")
            except PermissionError:
                pytest.skip("lowering oom_score_adj needs CAP_SYS_RESOURCE")
        return process

    def holding(self, mib: int, *, code: str = "", adj: int | None = None, uid: int | None = None) -> Process:
        """One that has filled so much and only waits now."""
        process = self.start(code + GROW, mib, 1, 0, adj=adj, uid=uid)
        full(process)
        return process

    def sleeping(self) -> Process:
        """A small one that does nothing."""
        command = ["sleep", "600"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
        self.started.append(process)
        (self.folder / "cgroup.procs").write_text(str(process.pid), encoding="ascii")
        return process

    def leaking(
        self, *, code: str = "", mib_per_second: int = 50, most_mib: int = 200, uid: int | None = None
    ) -> Process:
        """One that grows, a MiB at a time."""
        return self.start(code + GROW, most_mib, 1, 1 / mib_per_second, uid=uid)


def full(process: Process) -> None:
    """Waits until it says that it has filled all that it was to."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"full\n"


def group_lives(group: int) -> bool:
    """Whether any process of a process group still runs; one that nobody has waited for does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_bytes().rpartition(b") ")[2].split()
        except OSError:
            continue
        if int(words[2]) == group and words[0] not in (b"Z", b"X"):
            return True
    return False


def lives(process: Process) -> bool:
    """Whether it still runs."""
    return process.poll() is None


@contextmanager
def victims(folder: Path) -> Iterator[Victims]:
    """All that it started, and what these started, is ended at the end."""
    made = Victims(folder)
    try:
        yield made
    finally:
        for process in made.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
            assert process.stdout is not None
            process.stdout.close()
        for _ in range(100):
            left = (folder / "cgroup.procs").read_text(encoding="ascii").split() if folder.exists() else []
            if not left:
                break
            for pid in left:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
