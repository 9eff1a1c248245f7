"""The kernel's ring buffer as a source of kills."""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

from oomlens.host.live_scan import SETTLE_SECONDS, LiveDecoder
from oomlens.host.read.live import KmsgStream
from oomlens.host.scan import dated
from oomlens.model.report import Kind, Report

_READ_BYTES = 256 << 10
# After something was read, the descriptor is left alone for so long.
_REST_SECONDS = 0.05


class Ring:
    """Follows /dev/kmsg from its end on. Raises OSError where it may not be read."""

    def __init__(
        self, path: Path, *, reference: datetime | None, boot_time: datetime | None, from_end: bool = True
    ) -> None:
        self._stream = KmsgStream(path, from_end=from_end)
        self._is_device = stat.S_ISCHR(os.fstat(self._stream.fileno()).st_mode)
        self._boot_time = boot_time
        self._decoder = LiveDecoder("kmsg", reference)
        self._read_at = float("-inf")

    def reports(self, monotonic_seconds: float) -> list[Report]:
        """Kills whose reports are whole by now; reads what has come."""
        try:
            data = self._stream.read(_READ_BYTES)
        except OSError:
            data = b""
        if data:
            self._read_at = monotonic_seconds
            self._decoder.take(data, monotonic_seconds)
        found = [dated(one, self._boot_time) for one in self._decoder.ready(monotonic_seconds)]
        return [one for one in found if one.kind in (Kind.KERNEL, Kind.USERSPACE)]

    def descriptor(self, monotonic_seconds: float) -> int | None:
        """What to wait for; None for a moment after something was read, and for a file in place of the device."""
        rested = monotonic_seconds - self._read_at >= _REST_SECONDS
        return self._stream.fileno() if self._is_device and rested else None

    def patience(self, seconds: float, monotonic_seconds: float) -> float:
        """How long to wait at most: shorter while a report is on its way, or the descriptor is left alone."""
        if self._decoder.pending:
            return min(seconds, SETTLE_SECONDS)
        return min(seconds, _REST_SECONDS) if monotonic_seconds - self._read_at < _REST_SECONDS else seconds

    def close(self) -> None:
        """Gives the device back."""
        self._stream.close()
