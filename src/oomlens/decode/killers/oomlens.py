"""Our own guard: one line a signal, in the kernel's ring buffer (/dev/kmsg) and in the journal; dry runs kill nobody."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim

# Its identifier. A line in the ring buffer has it in its text, and the envelope's own name for whoever wrote it there.
_IDENT = "oomlens-guard"
_RING_IDENTS = ("user", "kernel")


def _number(text: str) -> int | None:
    """What the guard did not know is a question mark."""
    return None if text == "?" else int(text)


def _sent(found: re.Match[str], record: Record) -> Sighting | None:
    if record.ident in _RING_IDENTS and found["prefix"] is None:
        return None
    if record.ident is None and found["prefix"] is None:
        return None  # bare text without our name: anybody's
    rss, swap = _number(found["rss"]), _number(found["swap"])
    victim = Victim(
        pid=int(found["pid"]), comm=found["comm"], uid=_number(found["uid"]),
        score=_number(found["score"]),
        rss_bytes=rss * 1024 if rss is not None else None, signal=found["signal"],
    )  # fmt: skip
    return Sighting(
        Kind.USERSPACE, "oomlens", Outcome.KILLED, record.text, Scope.UNKNOWN, (victim,),
        task_memcg=found["cgroup"] if found["cgroup"].startswith("/") else None,
        details={
            "road": found["road"], "available_bytes": str(int(found["available"]) * 1024),
            "total_bytes": str(int(found["total"]) * 1024),
            **({"swap_free_bytes": str(swap * 1024)} if swap is not None else {}),
        },
    )  # fmt: skip


_TERM = (
    "oomlens-guard: sending SIGTERM to 1234 (leak) uid 1000 in /user.slice/a.scope: exhaustion,"
    " available 46000 kB of 490000 kB, swap free 0 kB; oom_score 812, rss 380000 kB"
)
_KILL = (
    "SIGKILL to 77 (a) uid 0 in /) uid 1 in /system.slice/b.service: thrash,"
    " available 9 kB of 10 kB, swap free ? kB; oom_score ?, rss ? kB"
)

KILLER = Killer(
    name="oomlens",
    needles=("sigterm to ", "sigkill to "),
    read=one_line(
        (
            (
                # Greedy where a process chose the text: what we write behind it comes last.
                r"^(?P<prefix>oomlens-guard: )?(?:sending )?(?P<signal>SIG(?:TERM|KILL)) to (?P<pid>\d+) \((?P<comm>.{0,15})\)"
                r" uid (?P<uid>\d+|\?) in (?P<cgroup>.*): (?P<road>exhaustion|thrash|harm),"
                r" available (?P<available>\d+) kB of (?P<total>\d+) kB, swap free (?P<swap>\d+|\?) kB;"
                r" oom_score (?P<score>\d+|\?), rss (?P<rss>\d+|\?) kB$",
                _sent,
            ),
        ),
        idents=(_IDENT, *_RING_IDENTS),
    ),
    samples=(
        (
            (_TERM,),
            None,
            Sighting(
                Kind.USERSPACE, "oomlens", Outcome.KILLED, _TERM, Scope.UNKNOWN,
                (Victim(pid=1234, comm="leak", uid=1000, score=812, rss_bytes=380000 << 10, signal="SIGTERM"),),
                task_memcg="/user.slice/a.scope",
                details={
                    "road": "exhaustion", "available_bytes": "47104000", "total_bytes": "501760000", "swap_free_bytes": "0",
                },
            ),
        ),
        # Journald takes the name off; a process called `a) uid 0 in /` changes nothing.
        (
            (_KILL,),
            "oomlens-guard",
            Sighting(
                Kind.USERSPACE, "oomlens", Outcome.KILLED, _KILL, Scope.UNKNOWN,
                (Victim(pid=77, comm="a) uid 0 in /", uid=1, signal="SIGKILL"),),
                task_memcg="/system.slice/b.service",
                details={"road": "thrash", "available_bytes": "9216", "total_bytes": "10240"},
            ),
        ),
        ((_TERM,), "chat", None),
        ((_KILL,), None, None),
        ((_TERM.replace("sending", "dry run: would send"),), "oomlens-guard", None),
        (("oomlens-guard: low memory in machine: available 46000 kB; SIGTERM to follow at 40000 kB",), None, None),
    ),
    source="oomlens src/oomlens/guard/loop",
)  # fmt: skip
