"""Android logcat: threadtime and brief forms (system/logging logprint.cpp)."""

from __future__ import annotations

import re

from oomlens.decode.envelope import Envelope, Sample, Unwrapped
from oomlens.model.record import Stamp

_THREADTIME = re.compile(
    r"^(?:(\d{4})-)?(\d\d)-(\d\d) (\d\d:\d\d:\d\d\.\d+)(?:\s+[+-]\d{4})?\s+(?:\w+\s+)?(\d+)\s+\d+ ([VDIWEFS]) ([^:]*?)\s*: ?(.*)$",
    re.DOTALL,
)
_BRIEF = re.compile(r"^([VDIWEF])/([^(:]*?)\s*\(\s*(\d+)\): ?(.*)$", re.DOTALL)
_LEVELS = {"V": 7, "D": 7, "I": 6, "W": 4, "E": 3, "F": 2, "S": None}
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _ident(tag: str) -> str:
    # logd forwards the kernel's ring buffer under these tags.
    return "kernel" if tag in ("kernel", "KERNEL", "klogd") else tag


def unwrap(line: str) -> Unwrapped | None:
    found = _THREADTIME.match(line)
    if found is not None:
        year, month, day, clock, pid, level, tag, text = found.groups()
        if not 1 <= int(month) <= 12:
            return None
        when = f"{year}-{month}-{day}T{clock}" if year else f"{_MONTHS[int(month)]} {day} {clock}"
        return Unwrapped(
            text,
            stamp=Stamp("iso" if year else "words", when),
            ident=_ident(tag),
            sender_pid=int(pid),
            level=_LEVELS[level],
        )
    found = _BRIEF.match(line)
    if found is None:
        return None
    return Unwrapped(found[4], ident=_ident(found[2]), sender_pid=int(found[3]), level=_LEVELS[found[1]])


ENVELOPE = Envelope(
    name="logcat",
    needle=":",
    unwrap=unwrap,
    samples=(
        Sample(
            "02-03 04:05:06.789     0     0 E kernel  : [  12.5] x",
            Unwrapped("[  12.5] x", stamp=Stamp("words", "Feb 03 04:05:06.789"), ident="kernel", sender_pid=0, level=3),
        ),
        Sample(
            "I/lowmemorykiller(  391): Kill 'a'",
            Unwrapped("Kill 'a'", ident="lowmemorykiller", sender_pid=391, level=6),
        ),
    ),
    rewrap=lambda text, n: (
        f"02-03 04:{n // 60 % 60:02d}:{n % 60:02d}.789     0     0 I kernel  : [{1000 + n / 1000:12.6f}] {text}"
    ),
)
