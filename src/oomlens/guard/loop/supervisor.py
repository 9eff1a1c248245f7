"""What systemd is told: ready, reloading, stopping, and that the loop still turns (sd_notify(3))."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Supervisor:
    """Nothing at all where NOTIFY_SOCKET is not set."""

    def __init__(self) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        self._socket: Any = None
        self.watchdog_seconds: float | None = None
        self._told = 0.0
        if not path:
            return
        from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

        self._socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
        usec = os.environ.get("WATCHDOG_USEC", "")
        if usec.isdigit() and os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            self.watchdog_seconds = int(usec) / 2e6

    def say(self, text: str) -> None:
        """`READY=1`, `STATUS=…`."""
        if self._socket is not None:
            try:
                self._socket.sendto(text.encode(), self._path)
            except OSError:
                return

    def turned(self) -> None:
        """The loop went round; the watchdog hears of it in time."""
        if self.watchdog_seconds is not None:
            now = time.monotonic()
            if now - self._told >= self.watchdog_seconds / 2:
                self._told = now
                self.say("WATCHDOG=1")
