"""/dev/kmsg records and netconsole's extended form (Documentation/ABI/testing/dev-kmsg, networking/netconsole)."""

from __future__ import annotations

import re

from oomlens.decode.envelope import Envelope, Sample, Unwrapped

_LINE = re.compile(r"^\s*(?:(\d+\.\d+\S*),)?(\d{1,4}),(\d+),(\d+),([-c+])((?:,[^;]*)?);(.*)$", re.DOTALL)
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
_CALLER = re.compile(r",caller=([TC]\d+)")


def unescape(text: str) -> str:
    """`\\xNN` of the kernel's record output back to characters; bytes that are not UTF-8 stay visible."""
    if "\\x" not in text:
        return text
    raw = bytearray()
    position = 0
    for found in _ESCAPE.finditer(text):
        raw += text[position : found.start()].encode("utf-8", "surrogatepass")
        raw.append(int(found[1], 16))
        position = found.end()
    raw += text[position:].encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "backslashreplace")


def unwrap(line: str) -> Unwrapped | None:
    found = _LINE.match(line)
    if found is None:
        return None
    release, priority, sequence, micros, _flag, extra, text = found.groups()
    caller = _CALLER.search(extra)
    fields = [("sequence", sequence)]
    if release:
        fields.append(("release", release))
    fragment = re.search(r",ncfrag=(\d+)/(\d+)", extra)
    if fragment is not None:
        fields.append(("fragment", f"{fragment[1]}/{fragment[2]}"))
    return Unwrapped(
        unescape(text),
        uptime_seconds=int(micros) / 1e6,
        ident="kernel" if int(priority) < 8 else "user",
        level=int(priority) & 7,
        caller=caller[1] if caller else None,
        fields=tuple(fields),
    )


ENVELOPE = Envelope(
    name="kmsg",
    needle=";",
    unwrap=unwrap,
    samples=(
        Sample(
            "4,19685342,241227987454,-,caller=T12845;dumpsys invoked",
            Unwrapped(
                "dumpsys invoked",
                uptime_seconds=241227.987454,
                ident="kernel",
                level=4,
                caller="T12845",
                fields=(("sequence", "19685342"),),
            ),
        ),
        Sample(
            "12,7,1000000,-;forged\\x0aline",
            Unwrapped("forged\nline", uptime_seconds=1.0, ident="user", level=4, fields=(("sequence", "7"),)),
        ),
    ),
    rewrap=lambda text, n: f"6,{n},{1000000000 + n * 1000},-;" + text.replace("\\", "\\x5c"),
)
