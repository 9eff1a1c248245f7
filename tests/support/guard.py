"""The guard's loop as the real program, and the table that it takes."""

from __future__ import annotations

import json
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oomlens

SOURCE = Path(oomlens.__file__).parent.parent
PROGRAM = SOURCE / "oomlens/guard/loop/__main__.py"
NEVER: list[float | int | None] = [0.0, 0, None]

# As that user, though the interpreter may lie where only root can start it. What the change of user took is given back: dumpable.
_AS_USER = """
import ctypes, os, sys
sys.path.append(sys.argv[2])
from oomlens.guard.loop.run import main
user = int(sys.argv[3])
os.setgroups([])
os.setgid(user)
os.setuid(user)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
sys.exit(main(int(sys.argv[1])))
"""

Event = Mapping[str, Any]


def scope(**changed: Any) -> dict[str, Any]:
    """A scope of contract 1, by the preset "server"."""
    row: dict[str, Any] = {
        "name": "machine",
        "cgroup": "",
        "ranking": "growth",
        "object": "auto",
        "roads": ["exhaustion", "thrash", "harm"],
        "warn": [0.20, 2 << 20, None],
        "term": [0.10, 1 << 20, None],
        "kill": [0.05, 512 << 10, None],
        "swap_term": 0.10,
        "swap_kill": 0.05,
        "warn_seconds": 30.0,
        "react_seconds": 0.2,
        "thrash_low": [0.15, 2 << 20, None],
        "thrash_refaults": 10.0,
        "thrash_stall": 0.5,
        "thrash_seconds": 5.0,
        "harm_low": [0.25, 4 << 20, None],
        "harm_cgroups": [],
        "harm_stall": 0.10,
        "harm_seconds": 5.0,
        "grace_seconds": 2.0,
        "cool_seconds": 5.0,
        "stuck_seconds": 10.0,
        "steps": [],
    }
    assert changed.keys() <= row.keys()
    return {**row, **changed}


def table(scopes: Sequence[Mapping[str, Any]] | None = None, *, run_dir: Path | str, **changed: Any) -> dict[str, Any]:
    """A whole table of contract 1 that changes nothing of the process that takes it."""
    rows: dict[str, Any] = {
        "format": 1,
        "source": "preset:server",
        "digest": "0" * 12,
        "preset": "server",
        "dry_run": False,
        "root": "/",
        "log_file": "",
        "log_bytes": 1 << 20,
        "log_stdout": True,
        "journal": False,
        "kmsg": False,
        "run_dir": str(run_dir),
        "oom_score_adj": None,
        "nice": None,
        "lock_memory": False,
        "capabilities": [],
        "tell_argv": [],
        "tell_on": [],
        "label_argv": [],
        "reload_argv": [],
        "exempt": [],
        "weights": [],
        "scopes": list(scopes) if scopes is not None else [scope()],
    }
    assert changed.keys() <= rows.keys()
    return {**rows, **changed}


class Guard:
    """A running loop. Its events are the lines of its standard output, which is a file of the test's."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, errors: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._out = out
        self._errors = errors

    def events(self, kind: str | None = None) -> list[Event]:
        """All so far, or those of one kind."""
        lines = self._out.read_bytes().split(b"\n")[:-1]
        found = [json.loads(line) for line in lines]
        return [event for event in found if kind is None or event["event"] == kind]

    def stderr(self) -> str:
        """What it said besides; a traceback would be here."""
        return self._errors.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, kind: str, seconds: float = 5.0, number: int = 1) -> Event:
        """The number-th event of a kind; fails with all that there is where it does not come in time."""
        self.wait_until(lambda: len(self.events(kind)) >= number, f"{kind} x{number}", seconds)
        return self.events(kind)[number - 1]

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = 5.0) -> None:
        """Polls, for what is asked happens in other processes."""
        until = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"the guard ended: {self.stderr()}"
            short = [(event["event"], event.get("reason"), event.get("detail")) for event in self.events()]
            assert time.monotonic() < until, f"no {what} within {seconds} s; events {short}; {self.stderr()}"
            time.sleep(0.01)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


@contextmanager
def running(
    content: Mapping[str, Any],
    folder: Path,
    *,
    started: bool = True,
    stdout: int | None = None,
    uid: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Guard]:
    """The loop as the launcher starts it, with the table in a memfd; ended at the end. folder: for its output. stdout: instead of a file."""
    fd = os.memfd_create("table", 0)
    os.write(fd, marshal.dumps(dict(content)))
    os.lseek(fd, 0, os.SEEK_SET)
    out, errors = folder / "events.jsonl", folder / "stderr.txt"
    with out.open("wb") as file, errors.open("wb") as other:
        program = [str(PROGRAM), str(fd)] if uid is None else ["-c", _AS_USER, str(fd), str(SOURCE), str(uid)]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", *program],
            stdin=subprocess.DEVNULL,
            stdout=file if stdout is None else stdout,
            stderr=other,
            pass_fds=[fd],
            env=None if environment is None else dict(environment),
        )
    os.close(fd)
    guard = Guard(process, out, errors)
    try:
        if started:
            guard.wait_for("started")
        yield guard
        assert "Traceback" not in guard.stderr()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)
