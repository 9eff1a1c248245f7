"""Short-lived programs round the loop: one that tells people, one that reads the configuration again. Never waited for."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_SECONDS = 30.0
_MOST_BYTES = 1 << 22


class Children:
    """At most one of each at a time; each in its own process group, ended when it takes too long."""

    def __init__(self) -> None:
        self._running: dict[int, float] = {}
        self._reload_pid = 0
        self._reload_fd = -1
        self._content = b""

    def busy(self) -> bool:
        """Whether one is under way."""
        return bool(self._running) or self._reload_pid != 0

    def start(self, argv: Sequence[str], event: bytes) -> None:
        """Starts a program with an event on its standard input."""
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(read, True)
        try:
            os.write(write, event)  # a pipe holds 64 KiB; an event is far below that
        except OSError:
            os.close(read)
            return
        finally:
            os.close(write)
        pid = self._spawn(argv, [(os.POSIX_SPAWN_DUP2, read, 0)])
        os.close(read)
        if pid:
            self._running[pid] = time.monotonic() + _MOST_SECONDS

    def reload(self, argv: Sequence[str]) -> None:
        """Starts reading the configuration again; `reloaded` has the answer later."""
        if self._reload_pid or not argv:
            return
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write, True)
        self._content = b""
        self._reload_pid = self._spawn(argv, [(os.POSIX_SPAWN_DUP2, write, 1)])
        os.close(write)
        self._reload_fd = read
        if not self._reload_pid:
            self._reload_pid = -1

    def reloaded(self) -> bytes | None:
        """The new table's bytes, b"" where it was refused, None while there is no answer."""
        if self._reload_fd < 0:
            return None
        try:
            while chunk := os.read(self._reload_fd, 65536):
                self._content += chunk
                if len(self._content) > _MOST_BYTES:
                    break
        except BlockingIOError:
            return None
        if self._reload_pid > 0:
            pid, status = os.waitpid(self._reload_pid, os.WNOHANG)
            if not pid:
                return None
            if status:
                self._content = b""
        os.close(self._reload_fd)
        self._reload_fd = -1
        self._reload_pid = 0
        return self._content

    def look(self) -> None:
        """Reaps what has ended, and ends what takes too long."""
        for pid, until in list(self._running.items()):
            try:
                ended = os.waitpid(pid, os.WNOHANG)[0]
            except ChildProcessError:
                ended = pid
            if ended:
                del self._running[pid]
            elif time.monotonic() >= until:
                try:
                    os.killpg(pid, 9)
                except OSError:
                    continue

    def _spawn(self, argv: Sequence[str], actions: Sequence[tuple[int, int, int]]) -> int:
        try:
            return os.posix_spawn(argv[0], list(argv), dict(os.environ), file_actions=actions, setpgroup=0)
        except OSError:
            return 0
