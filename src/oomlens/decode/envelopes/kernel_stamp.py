"""The kernel's own stamp, as `dmesg`, the console and syslog's kernel lines carry it: `[12.345678]`, `<4>`, `[  T123]`."""

from __future__ import annotations

import re

from oomlens.decode.envelope import Envelope, Sample, Unwrapped

# printk.time, then printk.caller (CONFIG_PRINTK_CALLER, 5.1): "[%5lu.%06lu]" "[%6s]"; some consoles cut the digits.
STAMP = r"\[\s*(\d{1,9}\.\d{1,9})(?: +<\s*[\d.]+>)?\](?:\s?\[\s*([TC]\d+)\])?"
_LINE = re.compile(rf"^\s*(?:<(\d{{1,2}})>)?\s*{STAMP}:?(?: |$|(?=\S))(.*)$", re.DOTALL)


def unwrap(line: str) -> Unwrapped | None:
    found = _LINE.match(line)
    if found is None:
        return None
    level, uptime, caller, text = found.groups()
    if level is not None and int(level) >= 8:
        # Only facility 0 is the kernel's; user space may write to /dev/kmsg.
        return Unwrapped(text, uptime_seconds=float(uptime), ident="user", level=int(level) & 7)
    return Unwrapped(text, uptime_seconds=float(uptime), level=int(level) if level is not None else None, caller=caller)


ENVELOPE = Envelope(
    name="dmesg",
    needle="[",
    unwrap=unwrap,
    samples=(
        Sample("[   12.345678] Mem-Info:", Unwrapped("Mem-Info:", uptime_seconds=12.345678)),
        Sample(
            "<4>[12.5][ T1234]  active_file:0",
            Unwrapped(" active_file:0", uptime_seconds=12.5, level=4, caller="T1234"),
        ),
        Sample("<12>[   12.345678] Mem-Info:", Unwrapped("Mem-Info:", uptime_seconds=12.345678, ident="user", level=4)),
        Sample("[ 4595.098154 <    0.000036>] x", Unwrapped("x", uptime_seconds=4595.098154)),
    ),
    rewrap=lambda text, n: f"[{1000 + n / 1000:12.6f}] {text}",
)
