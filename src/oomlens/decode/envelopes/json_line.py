"""One JSON object a line: journal, docker json-file, Fluent Bit, Vector, Loki, GCP, CloudWatch, Elasticsearch, Azure …"""

from __future__ import annotations

import json

from oomlens.decode.envelope import Envelope, Sample, Unwrapped
from oomlens.decode.json_object import unwrap_object
from oomlens.model.record import Stamp


def unwrap(line: str) -> Unwrapped | None:
    stripped = line.strip()
    for prefix in ("data: ", "\x1e"):
        stripped = stripped.removeprefix(prefix)
    stripped = stripped.rstrip(",")
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return None
    try:
        entry = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return unwrap_object(entry) if isinstance(entry, dict) else None


ENVELOPE = Envelope(
    name="json",
    needle="{",
    unwrap=unwrap,
    samples=(
        Sample(
            '{"log": "[ 1.5] x\\n", "stream": "stdout", "time": "2026-02-03T04:21:46.000003000Z"}',
            Unwrapped("[ 1.5] x", stamp=Stamp("iso", "2026-02-03T04:21:46.000003000Z"), fields=(("stream", "stdout"),)),
        ),
        Sample(
            '{"__REALTIME_TIMESTAMP":"1770092506000000","_TRANSPORT":"kernel","PRIORITY":"4","SYSLOG_FACILITY":"0",'
            '"_SOURCE_MONOTONIC_TIMESTAMP":"1000000000","_HOSTNAME":"h","MESSAGE":[120,255]}',
            Unwrapped(
                "x\\xff",
                uptime_seconds=1000.0,
                stamp=Stamp("epoch", "1770092506000000"),
                host="h",
                ident="kernel",
                level=4,
                fields=(("_TRANSPORT", "kernel"),),
            ),
        ),
    ),
    rewrap=lambda text, n: json.dumps(
        {
            "log": f"[{1000 + n / 1000:12.6f}] {text}\n",
            "stream": "stdout",
            "time": f"2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}Z",
        }
    ),
)
GCP = Envelope(
    name="json",
    needle="{",
    unwrap=unwrap,
    samples=(
        Sample(
            '{"jsonPayload": {"MESSAGE": "x", "_TRANSPORT": "kernel"}, "timestamp": "2026-02-03T04:21:46Z"}',
            Unwrapped(
                "x", stamp=Stamp("iso", "2026-02-03T04:21:46Z"), ident="kernel", fields=(("_TRANSPORT", "kernel"),)
            ),
        ),
    ),
    rewrap=lambda text, n: json.dumps(
        {
            "jsonPayload": {"MESSAGE": text, "_TRANSPORT": "kernel"},
            "timestamp": f"2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}Z",
        }
    ),
)
