"""What `oomlens top` costs to leave open: start to the first figures, processor time, bytes to the terminal, memory.

usage: python bench/top.py [SECONDS [PROCESSES]]    with so many more processes that sleep
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

_SIZES = ((80, 24), (160, 48))
_INTERVAL_SECONDS = 2.0


def begin(columns: int, lines: int) -> tuple[int, int]:
    """The pid of a `top` in a terminal of this size, and the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(sys.executable, [sys.executable, "-m", "oomlens", "top", "--interval", str(_INTERVAL_SECONDS)])  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    return pid, terminal


def read_for(terminal: int, seconds: float, until: bytes | None = None) -> bytes:
    """What it writes in that time, or until it has written something."""
    end, data = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0 and (until is None or until not in data):
        if select.select([terminal], [], [], left)[0]:
            data += os.read(terminal, 1 << 16)
    return data


def processor_seconds(pid: int) -> float:
    cells = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


def rss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def measure(columns: int, lines: int, seconds: float) -> str:
    begun = time.monotonic()
    pid, terminal = begin(columns, lines)
    read_for(terminal, 10.0, b"BADNESS")
    start = time.monotonic() - begun
    read_for(terminal, 6.0)
    before = processor_seconds(pid)
    data = read_for(terminal, seconds)
    used = processor_seconds(pid) - before
    memory = rss_kb(pid)
    os.write(terminal, b"q")
    while True:
        try:
            if not os.read(terminal, 1 << 16):
                break
        except OSError:
            break
    os.waitpid(pid, 0)
    return (
        f"{columns}x{lines}: first figures after {start:.2f} s, {100 * used / seconds:.2f} % of a core, "
        f"{len(data) / seconds:.0f} bytes/s, {memory / 1024:.0f} MiB RSS"
    )


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else 60.0
    count = int(arguments[1]) if len(arguments) > 1 else 0
    sleepers = [subprocess.Popen(["sleep", "3600"]) for _ in range(count)]
    try:
        there = sum(entry.name.isdecimal() for entry in Path("/proc").iterdir())
        print(f"every {_INTERVAL_SECONDS:g} s, {there} processes with kernel threads")
        for columns, lines in _SIZES:
            print(measure(columns, lines, seconds))
    finally:
        for sleeper in sleepers:
            sleeper.terminate()
        for sleeper in sleepers:
            sleeper.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
