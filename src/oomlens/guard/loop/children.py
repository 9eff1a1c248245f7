"""Short-lived programs round the loop: one that tells people, one that reads the configuration, one that knows labels. Never waited for."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.files import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from signal import SIGPIPE, SIGXFSZ
else:
    from _signal import SIGPIPE, SIGXFSZ

_MOST_SECONDS = 30.0
_MOST_BYTES = 1 << 22


class _Question:
    """A program whose output is awaited."""

    __slots__ = ("content", "fd", "pid", "until")

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self.fd = fd
        self.content = b""
        self.until = time.monotonic() + _MOST_SECONDS


class Children:
    """Each in its own process group, ended when it takes too long."""

    def __init__(self) -> None:
        self._running: dict[int, float] = {}
        self._asked: dict[str, _Question] = {}

    def busy(self) -> bool:
        """Whether one is under way."""
        return bool(self._running or self._asked)

    def start(self, argv: Sequence[str], event: bytes) -> bool:
        """Starts a program with an event on its standard input; False where that failed."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(write, False)
            if os.write(write, event) != len(event):  # a pipe holds 64 KiB; half an event is of no use to anybody
                return False
            pid = spawn(argv, dict(os.environ), [(os.POSIX_SPAWN_DUP2, read, 0)])
        except OSError:
            return False
        finally:
            os.close(write)
            os.close(read)
        self._running[pid] = time.monotonic() + _MOST_SECONDS
        return True

    def ask(self, what: str, argv: Sequence[str]) -> bool:
        """Starts a program whose output `answer` has later; False where it is under way already or cannot be started."""
        if what in self._asked or not argv:
            return False
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        try:
            pid = spawn(argv, dict(os.environ), [(os.POSIX_SPAWN_DUP2, write, 1)])
        except OSError:
            os.close(read)
            return False
        finally:
            os.close(write)
        self._asked[what] = _Question(pid, read)
        return True

    def asking(self, what: str) -> bool:
        """Whether the answer is still awaited."""
        return what in self._asked

    def answer(self, what: str) -> bytes | None:
        """What it wrote, b"" where it failed, None while there is no answer."""
        question = self._asked.get(what)
        if question is None:
            return None
        failed = time.monotonic() >= question.until
        try:
            while not failed and (chunk := os.read(question.fd, 65536)):
                question.content += chunk
                failed = len(question.content) > _MOST_BYTES
        except BlockingIOError:
            return None
        if failed:
            _end(question.pid)
        pid, status = _waited(question.pid)
        if not pid:
            return None
        os.close(question.fd)
        del self._asked[what]
        return b"" if failed or status else question.content

    def look(self) -> None:
        """Reaps what has ended, and ends what takes too long."""
        for pid, until in list(self._running.items()):
            if _waited(pid)[0]:
                del self._running[pid]
            elif time.monotonic() >= until:
                _end(pid)


def spawn(argv: Sequence[str], environment: Mapping[str, str], actions: Sequence[tuple[int, int, int]]) -> int:
    """A program in its own process group, as an ordinary one: what the guard has for itself (a protected score, SIGPIPE ignored) is not its."""
    pid = os.posix_spawn(
        argv[0], list(argv), environment, file_actions=actions, setpgroup=0, setsigdef=[SIGPIPE, SIGXFSZ]
    )
    put(f"/proc/{pid}/oom_score_adj", b"0")
    return pid


def _waited(pid: int) -> tuple[int, int]:
    try:
        return os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return pid, 1


def _end(pid: int) -> None:
    try:
        os.killpg(pid, 9)
    except OSError:
        return
