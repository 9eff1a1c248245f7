"""Android: lmkd in user space and, up to 4.11, the driver in the kernel (drivers/staging/android/lowmemorykiller.c)."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim


def _lmkd(found: re.Match[str], record: Record) -> Sighting:
    return _sighting("lmkd", found, record)


def _driver(found: re.Match[str], record: Record) -> Sighting:
    return _sighting("lowmemorykiller", found, record)


def _sighting(killer: str, found: re.Match[str], record: Record) -> Sighting:
    groups = found.groupdict()
    victim = Victim(
        pid=int(found["pid"]), comm=found["comm"], uid=int(groups["uid"]) if groups.get("uid") else None,
        oom_score_adj=int(found["adj"]), rss_bytes=int(groups["rss"]) * 1024 if groups.get("rss") else None,
    )  # fmt: skip
    return Sighting(Kind.USERSPACE, killer, Outcome.KILLED, record.text, Scope.GLOBAL, (victim,))


KILLER = Killer(
    name="lmkd",
    needles=("kill", "sigkill to"),
    read=one_line(
        (
            (
                r"^(?:lowmemorykiller: )?(?:Kill|Killing) '(?P<comm>.*?)' \((?P<pid>\d+)\)(?: \(tgid \d+\))?, uid (?P<uid>\d+),"
                r" oom_(?:score_)?adj (?P<adj>-?\d+)(?: to free (?P<rss>\d+)kB)?",
                _lmkd,
            ),
            (r"^(?:lowmemorykiller: )?Killing '(?P<comm>.*?)' \((?P<pid>\d+)\)(?: \(tgid \d+\))?,\s+adj (?P<adj>-?\d+)", _driver),
            (r"^(?:lowmemorykiller: )?send sigkill to (?P<pid>\d+) \((?P<comm>.*)\), (?:oom_)?adj (?P<adj>-?\d+)", _driver),
        ),
        idents=("lowmemorykiller", "lmkd", "kernel"),
    ),
    samples=(
        (
            ("Kill 'com.example' (3131), uid 10123, oom_score_adj 900 to free 51200kB rss, 1kB swap",),
            "lowmemorykiller",
            Sighting(
                Kind.USERSPACE, "lmkd", Outcome.KILLED,
                "Kill 'com.example' (3131), uid 10123, oom_score_adj 900 to free 51200kB rss, 1kB swap",
                Scope.GLOBAL, (Victim(pid=3131, comm="com.example", uid=10123, oom_score_adj=900, rss_bytes=51200 << 10),),
            ),
        ),
        (
            ("send sigkill to 77 (a.b), adj 9, size 1234",),
            "kernel",
            Sighting(
                Kind.USERSPACE, "lowmemorykiller", Outcome.KILLED, "send sigkill to 77 (a.b), adj 9, size 1234", Scope.GLOBAL,
                (Victim(pid=77, comm="a.b", oom_score_adj=9),),
            ),
        ),
        (("lowmem_shrink 4, 201da, ofree 1",), "kernel", None),
    ),
    source="AOSP system/memory/lmkd/lmkd.cpp; drivers/staging/android/lowmemorykiller.c (3.10)",
)  # fmt: skip
