"""`top` in a real terminal (tmux, 80 by 24) while the running kernel kills in a memory cgroup of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.memcg import own_memcg

pytestmark = pytest.mark.live
LIMIT_BYTES = 64 << 20
GROW = """import os, time
open({procs!r}, 'w').write(str(os.getpid()))
held = []
while True: held.append(bytearray(1 << 20)); time.sleep(0.02)
"""


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, name: str, *arguments: str) -> None:
        self._base = ["tmux", "-L", name, "-f", "/dev/null"]
        command = " ".join([sys.executable, "-m", "oomlens", "top", *arguments])
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        self._tmux("new-session", "-d", "-x", "80", "-y", "24", f"{command}; echo ended $?; sleep 60", env=environment)

    def _tmux(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        return subprocess.run([*self._base, *arguments], check=True, capture_output=True, text=True, env=env).stdout

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def type(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def until(self, done: Callable[[str], bool], seconds: float = 20.0) -> str:
        end = time.monotonic() + seconds
        while not done(text := self.text):
            assert time.monotonic() < end, text
            time.sleep(0.1)
        return text

    def end(self) -> None:
        subprocess.run([*self._base, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    found = Terminal(f"oomlens-test-{os.getpid()}", "--interval", "0.5", "--lang", "en")
    try:
        yield found
    finally:
        found.end()


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with own_memcg(LIMIT_BYTES) as folder:
        yield folder


def test_a_real_kill_appears_and_its_diagnosis_opens(terminal: Terminal, cgroup: Path) -> None:
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("/dev/kmsg may not be read")
    screen = terminal.until(lambda text: "NEXT KILL" in text and "PID" in text)
    assert len(screen.rstrip("\n").splitlines()) == 24
    child = subprocess.Popen([sys.executable, "-c", GROW.format(procs=str(cgroup / "cgroup.procs"))])
    # Its cgroup is the one with the least left, and the child is next in it.
    terminal.until(lambda text: f"[{child.pid}]" in text and cgroup.name[:12] in text)
    assert child.wait(timeout=60) == -9
    screen = terminal.until(lambda text: "KILLED" in text and f"[{child.pid}]" in text, 5.0)
    terminal.type("o")
    screen = terminal.until(lambda text: "OOM101" in text)
    assert f"[{child.pid}]" in screen
    terminal.type("q")
    terminal.until(lambda text: "NEXT KILL" in text)
    terminal.type("q")
    screen = terminal.until(lambda text: "ended 0" in text)
    assert "NEXT KILL" not in screen  # the terminal is as it was
