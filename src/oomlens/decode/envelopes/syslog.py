"""Syslog lines: RFC 3164 and its locale forms, RFC 3339 (rsyslog's default today), RFC 5424, OpenWrt and BusyBox, journal short forms."""

from __future__ import annotations

import re

from oomlens.decode.clock import month_number
from oomlens.decode.envelope import Envelope, Sample, Unwrapped
from oomlens.model.record import Stamp

_TAG = r"([^\s:\[\]]+(?: ?\([^)]*\))?)(?:\[(\d+)\])?: ?"
_MONTH = r"[^\W\d_]{3,5}\.?|\d{1,2}[月월]"
_RFC3164 = re.compile(
    rf"^(?:<(\d+)>)?((?:{_MONTH}) {{1,2}}\d{{1,2}}(?: \d{{4}})? \d\d:\d\d:\d\d(?:\.\d+)?(?: \d{{4}})?) (?:(\S+) )?{_TAG}(.*)$",
    re.DOTALL,
)
_DAY_FIRST = re.compile(
    rf"^(?:<(\d+)>)?(\d{{1,2}} (?:{_MONTH})(?: \d{{4}})? \d\d:\d\d:\d\d) (?:(\S+) )?{_TAG}(.*)$", re.DOTALL
)
_ISO = re.compile(
    rf"^(?:<(\d+)>)?(\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) (\S+) {_TAG}(.*)$", re.DOTALL
)
_RFC5424 = re.compile(r"^<(\d+)>1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|\[.*?\])(?: \ufeff?(.*))?$", re.DOTALL)
_LOGREAD = re.compile(
    r"^(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) (\w+)\.(emerg|alert|crit|err|warn|warning|notice|info|debug) ([^\s:\[]+)(?:\[(\d+)\])?: ?(.*)$",
    re.DOTALL,
)
_BUSYBOX = re.compile(
    rf"^((?:{_MONTH}) [ \d]\d \d\d:\d\d:\d\d) (\S+) (\w+)\.(emerg|alert|crit|err|warn|notice|info|debug) {_TAG}(.*)$",
    re.DOTALL,
)
_UNIX = re.compile(rf"^(\d{{9,10}}\.\d{{3,6}}) (\S+) {_TAG}(.*)$", re.DOTALL)
_CAT = re.compile(r"^kernel: ?(.*)$", re.DOTALL)
_NO_HOST = re.compile(r"^\[([^\]]+)\] (kernel): ?(.*)$", re.DOTALL)
_LEVELS = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warn": 4, "warning": 4, "notice": 5, "info": 6, "debug": 7}


def _pid(text: str | None) -> int | None:
    return int(text) if text else None


def _level(priority: str | None) -> int | None:
    return int(priority) & 7 if priority else None


def unwrap_rfc3164(line: str) -> Unwrapped | None:
    found = _RFC3164.match(line) or _DAY_FIRST.match(line)
    if found is None:
        return None
    word = re.search(_MONTH, found[2])
    if word is None or month_number(word[0]) is None:
        return None
    return Unwrapped(
        found[6],
        stamp=Stamp("words", found[2]),
        host=found[3],
        ident=found[4],
        sender_pid=_pid(found[5]),
        level=_level(found[1]),
    )


def unwrap_iso(line: str) -> Unwrapped | None:
    found = _ISO.match(line)
    if found is None:
        return None
    return Unwrapped(
        found[6],
        stamp=Stamp("iso", found[2]),
        host=found[3],
        ident=found[4],
        sender_pid=_pid(found[5]),
        level=_level(found[1]),
    )


def unwrap_rfc5424(line: str) -> Unwrapped | None:
    found = _RFC5424.match(line)
    if found is None:
        return None
    priority, stamp, host, ident, pid, text = found.groups()
    return Unwrapped(
        text or "",
        stamp=None if stamp == "-" else Stamp("iso", stamp),
        host=None if host == "-" else host,
        ident=None if ident == "-" else ident,
        sender_pid=int(pid) if pid.isdigit() else None,
        level=int(priority) & 7,
    )


def unwrap_logread(line: str) -> Unwrapped | None:
    found = _LOGREAD.match(line)
    if found is not None:
        stamp, _facility, level, ident, pid, text = found.groups()
        return Unwrapped(text, stamp=Stamp("words", stamp), ident=ident, sender_pid=_pid(pid), level=_LEVELS[level])
    found = _BUSYBOX.match(line)
    if found is None:
        return None
    stamp, host, _facility, level, ident, pid, text = found.groups()
    return Unwrapped(
        text, stamp=Stamp("words", stamp), host=host, ident=ident, sender_pid=_pid(pid), level=_LEVELS[level]
    )


def unwrap_unix(line: str) -> Unwrapped | None:
    found = _UNIX.match(line)
    if found is None:
        return None
    return Unwrapped(found[5], stamp=Stamp("epoch", found[1]), host=found[2], ident=found[3], sender_pid=_pid(found[4]))


def unwrap_cat(line: str) -> Unwrapped | None:
    found = _CAT.match(line)
    return Unwrapped(found[1], ident="kernel") if found else None


RFC3164 = Envelope(
    name="syslog",
    needle=":",
    unwrap=unwrap_rfc3164,
    samples=(
        Sample(
            "Sep 29 08:12:34 host1-cache kernel: Mem-Info:",
            Unwrapped("Mem-Info:", stamp=Stamp("words", "Sep 29 08:12:34"), host="host1-cache", ident="kernel"),
        ),
        Sample(
            "<6>Nov  4 10:01:02 h myapp[12]: x: y",
            Unwrapped("x: y", stamp=Stamp("words", "Nov  4 10:01:02"), host="h", ident="myapp", sender_pid=12, level=6),
        ),
        Sample(
            "Sep 25 14:42:07 kernel: snapd", Unwrapped("snapd", stamp=Stamp("words", "Sep 25 14:42:07"), ident="kernel")
        ),
    ),
    rewrap=lambda text, n: f"Feb  3 04:{n // 60 % 60:02d}:{n % 60:02d} host1 kernel: [{1000 + n / 1000:12.6f}] {text}",
)
ISO = Envelope(
    name="syslog-iso",
    needle=":",
    unwrap=unwrap_iso,
    samples=(
        Sample(
            "2026-02-03T04:38:48.176098+09:00 host1 kernel: [59622.176098] x",
            Unwrapped(
                "[59622.176098] x", stamp=Stamp("iso", "2026-02-03T04:38:48.176098+09:00"), host="host1", ident="kernel"
            ),
        ),
    ),
    rewrap=lambda text, n: f"2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}.176098+09:00 host1 kernel: {text}",
)
RFC5424 = Envelope(
    name="syslog-5424",
    needle=">1 ",
    unwrap=unwrap_rfc5424,
    samples=(
        Sample(
            "<3>1 2026-02-03T04:38:48.176098+09:00 host1 kernel - - - x",
            Unwrapped(
                "x", stamp=Stamp("iso", "2026-02-03T04:38:48.176098+09:00"), host="host1", ident="kernel", level=3
            ),
        ),
    ),
    rewrap=lambda text, n: f"<3>1 2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}Z host1 kernel - - - {text}",
)
LOGREAD = Envelope(
    name="logread",
    needle=".",
    unwrap=unwrap_logread,
    samples=(
        Sample(
            "Tue Feb  3 04:57:55 2026 kern.warn kernel: [1.5] x",
            Unwrapped("[1.5] x", stamp=Stamp("words", "Tue Feb  3 04:57:55 2026"), ident="kernel", level=4),
        ),
        Sample(
            "Feb  3 04:57:55 box kern.err kernel: x",
            Unwrapped("x", stamp=Stamp("words", "Feb  3 04:57:55"), host="box", ident="kernel", level=3),
        ),
    ),
    rewrap=lambda text, n: (
        f"Tue Feb  3 04:{n // 60 % 60:02d}:{n % 60:02d} 2026 kern.warn kernel: [{1000 + n / 1000:12.6f}] {text}"
    ),
)
UNIX = Envelope(
    name="journal-unix",
    needle=".",
    unwrap=unwrap_unix,
    samples=(
        Sample(
            "1770092506.000003 h kernel: x",
            Unwrapped("x", stamp=Stamp("epoch", "1770092506.000003"), host="h", ident="kernel"),
        ),
    ),
    rewrap=lambda text, n: f"{1770092506 + n}.000003 host1 kernel: {text}",
)
CAT = Envelope(
    name="journal-cat",
    needle="kernel:",
    unwrap=unwrap_cat,
    samples=(Sample("kernel: x", Unwrapped("x", ident="kernel")),),
    rewrap=lambda text, _n: f"kernel: {text}",
)
