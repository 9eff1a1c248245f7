"""Sighting -> report: what a killer in user space, or a program without memory, said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from oomlens.decode.clock import resolve
from oomlens.decode.killer import Sighting
from oomlens.kernel.cgroup_names import names_of
from oomlens.model.record import Record
from oomlens.model.report import Gap, Origin, Report, Trigger


def sighted(sighting: Sighting, records: Sequence[Record], source: str, reference: datetime | None) -> Report:
    """The report of one sighting; records are those it was read from, at least one."""
    first, last = records[0], records[-1]
    gaps: list[Gap] = []
    time: str | None = None
    if first.stamp is None:
        gaps.append(Gap("time", "no-wall-clock-in-log", first.line))
    else:
        time, why = resolve(first.stamp, reference)
        if why is not None:
            gaps.append(Gap("time", why, first.line))
    return Report(
        id=_sighting_id(sighting, time or first.uptime_seconds),
        kind=sighting.kind,
        origin=Origin(source, first.envelope, first.line, last.last_line, first.first_byte, last.last_byte),
        killer=sighting.killer,
        outcome=sighting.outcome,
        scope=sighting.scope,
        trigger=Trigger.USERSPACE,
        time=time,
        uptime_seconds=first.uptime_seconds,
        host=first.host,
        oom_memcg=sighting.oom_memcg,
        task_memcg=sighting.task_memcg,
        oom_memcg_names=names_of(sighting.oom_memcg) if sighting.oom_memcg else None,
        task_memcg_names=names_of(sighting.task_memcg) if sighting.task_memcg else None,
        victims=tuple(
            replace(victim, line=first.line) if victim.line is None else victim for victim in sighting.victims
        ),
        message=sighting.message,
        details=sighting.details,
        sections=("verdict",),
        complete=True,
        gaps=tuple(gaps),
    )


def _sighting_id(sighting: Sighting, when: str | float | None) -> str:
    """Stable over sources: who, what was said, whom. Without a pid the time has to tell two equal messages apart."""
    pids = tuple(victim.pid for victim in sighting.victims if victim.pid is not None)
    key = f"{sighting.kind}|{sighting.killer}|{sighting.message}|{pids}|{None if pids else when}"
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:12]
