"""Histories for tests: samples by hand, and files as a recorder writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oomlens.model.history import Begin, CgroupFigures, HostFigures, Kill, ProcessFigures, Sample
from oomlens.model.history_codec import (
    MAGIC,
    FrameKind,
    before_to_content,
    begin_to_content,
    frame,
    kill_to_dict,
    pack,
    pack_bytes,
)
from oomlens.model.sample_codec import SampleEncoder

BOOT = "7c1f6a34-0000-4000-8000-000000000001"
MIB = 1 << 20


def sample(
    time: float,
    *,
    uptime: float | None = None,
    available: int | None = 8 << 30,
    total: int | None = 16 << 30,
    cgroups: Sequence[CgroupFigures] = (),
    processes: Sequence[ProcessFigures] = (),
    boot_id: str | None = BOOT,
    host: HostFigures | None = None,
) -> Sample:
    """A sample; the uptime is the time where none is given."""
    figures = host or HostFigures(
        total_bytes=total, available_bytes=available, swap_total_bytes=0, swap_free_bytes=0, oom_kills=0
    )
    return Sample(time, time if uptime is None else uptime, boot_id, figures, tuple(cgroups), tuple(processes))


def process(
    pid: int, rss: int | None, *, comm: str = "worker", started: float = 1.0, cgroup: str = "/"
) -> ProcessFigures:
    """A process row without swap and page tables."""
    return ProcessFigures(pid, started, comm, 1000, cgroup, rss, rss, 0, 0, 0)


def history_bytes(samples: Sequence[Sample], kills: Sequence[Kill] = (), *, begin: Begin | None = None) -> bytes:
    """A file of a history: every tenth sample whole, kills behind the sample before them."""
    first = samples[0].time_seconds if samples else kills[0].time_seconds if kills else 0.0
    head = begin or Begin(first, samples[0].boot_id if samples else BOOT, "host-1", "6.12.0", 4096, "0")
    parts = [MAGIC, frame(FrameKind.BEGIN, begin_to_content(head))]
    encoder, waiting = SampleEncoder(), list(kills)
    for number, one in enumerate(samples):
        while waiting and waiting[0].time_seconds < one.time_seconds:
            parts += _kill(waiting.pop(0))
        data = encoder.encode(one, whole=number % 10 == 0)
        parts.append(
            frame(FrameKind.SAMPLE, data) if number % 10 else frame(FrameKind.WHOLE, pack_bytes(data)),
        )
    for kill in waiting:
        parts += _kill(kill)
    return b"".join(parts)


def _kill(kill: Kill) -> list[bytes]:
    before = [frame(FrameKind.BEFORE, before_to_content(kill.snapshot))] if kill.snapshot is not None else []
    return [*before, frame(FrameKind.KILL, pack(kill_to_dict(kill)))]


def write_history(folder: Path, samples: Sequence[Sample], kills: Sequence[Kill] = (), *, number: int = 1) -> Path:
    """A history's file in a folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{number:08}.oomh"
    file.write_bytes(history_bytes(samples, kills))
    return file
