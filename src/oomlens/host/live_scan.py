"""Live bytes -> reports: a report is given as soon as its verdict has come, once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from oomlens.decode import decode_window
from oomlens.decode.anchors import ANCHORS
from oomlens.host.read.follow import Arrived
from oomlens.host.scan import dated
from oomlens.model.report import Outcome, Report

# The kernel prints a kill's lines within a millisecond; what is not there after this pause belongs to no verdict yet.
SETTLE_SECONDS = 0.03
_MOST_HELD_BYTES = 8 << 20
# A report waits this long for its verdict before what there is of it is given.
_PATIENCE_SECONDS = 10.0


class LiveDecoder:
    """Holds what came from one source since the last whole report."""

    def __init__(self, name: str, reference: datetime | None) -> None:
        self._name = name
        self._reference = reference
        self._held = b""
        self._first_byte = 0
        self._first_line = 1
        self._given: set[str] = set()
        self._pids: set[int] = set()
        self.changed_at = 0.0
        self.pending = False

    def take(self, data: bytes, now: float) -> None:
        self._held += data
        self.changed_at = now
        if not self.pending:
            self.pending = any(anchor in self._held for anchor in ANCHORS)
        if not self.pending or len(self._held) > _MOST_HELD_BYTES:
            self._keep(4096)

    def ready(self, now: float) -> Iterator[Report]:
        """The reports that are whole by now."""
        if not self.pending or now - self.changed_at < SETTLE_SECONDS:
            return
        patience_over = now - self.changed_at > _PATIENCE_SECONDS
        undecided = False
        for report in decode_window(self._held, self._first_byte, self._first_line, self._name, self._reference):
            if report.outcome is Outcome.UNKNOWN and not patience_over:
                undecided = True
            elif report.id not in self._given and not self._is_rest(report):
                self._given.add(report.id)
                self._pids.update(victim.pid for victim in report.victims if victim.pid is not None)
                yield report
        if not undecided:
            self.pending = False
            # A reaper's line may still come; it folds into what was given.
            self._keep(4096)

    def _is_rest(self, report: Report) -> bool:
        """What is held of a report that was given: its reaper's line."""
        return bool(report.victims) and all(
            victim.total_vm_bytes is None and victim.pid in self._pids for victim in report.victims
        )

    def _keep(self, length: int) -> None:
        cut = self._held.rfind(b"\n", 0, max(0, len(self._held) - length)) + 1
        self._first_line += self._held.count(b"\n", 0, cut)
        self._first_byte += cut
        self._held = self._held[cut:]


def scan_live(
    arrivals: Iterable[Arrived], reference: datetime | None, boot_time: datetime | None = None
) -> Iterator[Report]:
    """Reports of live sources as their verdicts arrive. boot_time: of this machine; dates what /dev/kmsg says."""
    decoders: dict[str, LiveDecoder] = {}
    for arrived in arrivals:
        now = time.monotonic()
        if arrived.data:
            decoder = decoders.setdefault(arrived.source, LiveDecoder(arrived.source, reference))
            decoder.take(arrived.data, now)
        for name, decoder in decoders.items():
            for report in decoder.ready(now):
                yield dated(report, boot_time if name == "kmsg" else None)
    for decoder in decoders.values():
        decoder.changed_at = float("-inf")
        yield from decoder.ready(time.monotonic())
