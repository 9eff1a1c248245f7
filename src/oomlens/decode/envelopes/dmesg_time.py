"""`dmesg -T` in any locale, `-H` and `--time-format reltime|iso`, `-x` (util-linux dmesg.c)."""

from __future__ import annotations

import re

from oomlens.decode.envelope import Envelope, Sample, Unwrapped
from oomlens.model.record import Stamp

# A clock within brackets, and no other bracket: "[Mon Nov 23 07:14:33 2026]", "[dim. 19 avril 18:03:30 2026]".
_HUMAN = re.compile(
    r"^\s*\[([^\[\]]{0,40}?\d{1,2}:\d\d(?::\d\d)?[^\[\]]{0,20})\](?:\s?\[\s*([TC]\d+)\])? ?(.*)$", re.DOTALL
)
_DELTA = re.compile(r"^\s*\[\s*[+<]\s*\d+\.\d+>?\s*\](?:\s?\[\s*([TC]\d+)\])? ?(.*)$", re.DOTALL)
# util-linux writes a comma in front of the microseconds, syslog daemons a point.
_ISO = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:?\d\d) (.*)$", re.DOTALL)
_DECODED = re.compile(
    r"^(kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local\d)\s*:(emerg|alert|crit|err|warn|notice|info|debug)\s*: (.*)$",
    re.DOTALL,
)
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")


def unwrap_human(line: str) -> Unwrapped | None:
    found = _HUMAN.match(line)
    if found is None:
        return None
    kind = "iso" if re.match(r"\s*\d{4}-", found[1]) else "words"
    return Unwrapped(found[3], stamp=Stamp(kind, found[1].strip()), caller=found[2])


def unwrap_delta(line: str) -> Unwrapped | None:
    found = _DELTA.match(line)
    return Unwrapped(found[2], caller=found[1], level=None, ident="kernel") if found else None


def unwrap_iso(line: str) -> Unwrapped | None:
    found = _ISO.match(line)
    return Unwrapped(found[2], stamp=Stamp("iso", found[1])) if found else None


def unwrap_decoded(line: str) -> Unwrapped | None:
    found = _DECODED.match(line)
    if found is None:
        return None
    return Unwrapped(found[3], ident="kernel" if found[1] == "kern" else "user", level=_LEVELS.index(found[2]))


HUMAN = Envelope(
    name="dmesg-human",
    needle=":",
    unwrap=unwrap_human,
    samples=(
        Sample("[Mon Nov 23 07:14:33 2026] text", Unwrapped("text", stamp=Stamp("words", "Mon Nov 23 07:14:33 2026"))),
        Sample("[dim. 19 avril 18:03:30 2026] x", Unwrapped("x", stamp=Stamp("words", "dim. 19 avril 18:03:30 2026"))),
        Sample("[Jul31 01:56] kthreadd", Unwrapped("kthreadd", stamp=Stamp("words", "Jul31 01:56"))),
    ),
    rewrap=lambda text, n: f"[Mon Nov 23 07:{n // 60 % 60:02d}:{n % 60:02d} 2026] {text}",
)
DELTA = Envelope(
    name="dmesg-delta",
    needle="[",
    unwrap=unwrap_delta,
    samples=(Sample("[  +0.000036] text", Unwrapped("text", ident="kernel")),),
    rewrap=lambda text, _n: f"[  +0.000036] {text}",
)
ISO = Envelope(
    name="dmesg-iso",
    needle="T",
    unwrap=unwrap_iso,
    samples=(
        Sample(
            "2026-11-23T07:14:33,098154+00:00 text",
            Unwrapped("text", stamp=Stamp("iso", "2026-11-23T07:14:33,098154+00:00")),
        ),
    ),
    rewrap=lambda text, n: f"2026-11-23T07:{n // 60 % 60:02d}:{n % 60:02d},098154+00:00 {text}",
)
DECODED = Envelope(
    name="dmesg-decoded",
    needle=":",
    unwrap=unwrap_decoded,
    samples=(
        Sample("kern  :err   : [ 4595.098154] text", Unwrapped("[ 4595.098154] text", ident="kernel", level=3)),
        Sample("user  :warn  : [ 4595.098154] text", Unwrapped("[ 4595.098154] text", ident="user", level=4)),
    ),
    rewrap=lambda text, n: f"kern  :info  : [{1000 + n / 1000:12.6f}] {text}",
)
