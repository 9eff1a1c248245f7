"""Time, processor time, and sleep that signals and the ring buffer end. SIGTERM and SIGINT end the recorder; SIGHUP and SIGUSR1/2 do nothing."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType
from typing import Protocol

_ENDING = (signal.SIGTERM, signal.SIGINT)
_HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Surroundings(Protocol):
    """What the recorder knows of time; another one in tests."""

    def now(self) -> float:
        """Seconds of the epoch."""

    def monotonic(self) -> float:
        """Seconds that no clock setting moves."""

    def cpu(self) -> float:
        """Processor seconds of this process."""

    def wait(self, seconds: float, descriptor: int | None) -> bool:
        """Sleeps so long, less where the descriptor has something to read; True where it is time to end."""


class Waiting:
    """The real surroundings. Signals are handled from here on until `close`; only in the main thread."""

    def __init__(self) -> None:
        self._ended = False
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)
        self._handlers = {one: signal.signal(one, self._end) for one in _ENDING}
        self._handlers.update({one: signal.signal(one, _nothing) for one in _HARMLESS})

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._ended = True

    def now(self) -> float:
        """Seconds of the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def cpu(self) -> float:
        """Processor seconds of this process."""
        return time.process_time()

    def wait(self, seconds: float, descriptor: int | None) -> bool:
        """Sleeps in the kernel."""
        if not self._ended:
            waiting = [self._out] if descriptor is None else [self._out, descriptor]
            ready, _, _ = select.select(waiting, [], [], max(0.0, seconds))
            if self._out in ready:
                os.read(self._out, 4096)
        return self._ended

    def close(self) -> None:
        """Signals are handled as before."""
        for one, handler in self._handlers.items():
            signal.signal(one, handler)
        signal.set_wakeup_fd(self._before)
        os.close(self._out)
        os.close(self._in)


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """A handler, not SIG_IGN: it is not inherited, and ends a sleep without harm."""
