"""Kills that happened while no recorder ran: since the last sample of this boot the kernel's counter has grown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from oomlens.host.read.history import read_history
from oomlens.host.read.live import kmsg_source
from oomlens.host.read.source import UnreadableError
from oomlens.host.scan import scan
from oomlens.model.history import History, Kill
from oomlens.model.report import Kind, Report
from oomlens.model.snapshot import Snapshot
from oomlens.record.kills import killed_by

_LOOK_BACK_SECONDS = 86400.0


def missed_kills(folder: Path, snapshot: Snapshot, root: Path = Path("/")) -> list[Kill]:
    """The kills since the last sample: with the kernel's reports where its ring buffer still holds them, else only their number."""
    boot, counter = snapshot.host.boot_id, snapshot.host.oom_kills
    if boot is None or counter is None:
        return []
    try:
        held = read_history(folder, time.time() - _LOOK_BACK_SECONDS)
    except UnreadableError:
        return []
    if not held.samples:
        return []  # there was no recorder that could have missed something
    last = next((one for one in reversed(held.samples) if one.boot_id == boot), None)
    known = last.host.oom_kills if last is not None else 0  # since boot
    if known is None or counter <= known:
        return []
    missing = counter - known
    found: list[Kill] = []
    for report in _reports_since((last.uptime_seconds if last is not None else None) or 0.0, held, root):
        count = killed_by([report])
        missing -= count
        found.append(Kill(_moment(report), "kmsg", report.uptime_seconds, boot, report, count))
    if missing > 0:
        found.append(Kill(time.time(), "counters", snapshot.host.uptime_seconds, boot, count=missing))
    return found


def _reports_since(uptime: float, held: History, root: Path) -> Iterator[Report]:
    known = {kill.report.id for kill in held.kills if kill.report is not None}
    try:
        for report in scan(kmsg_source(root / "dev/kmsg"), workers=1):
            later = report.uptime_seconds is not None and report.uptime_seconds > uptime
            if report.kind is Kind.KERNEL and later and report.id not in known:
                yield report
    except UnreadableError:
        return


def _moment(report: Report) -> float:
    return datetime.fromisoformat(report.time).timestamp() if report.time is not None else time.time()
