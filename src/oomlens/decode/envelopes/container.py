"""Lines of container runtimes and their front ends: CRI, `docker compose logs`, Talos, CI runners."""

from __future__ import annotations

import re

from oomlens.decode.envelope import Envelope, Sample, Unwrapped
from oomlens.model.record import Stamp

_CRI = re.compile(
    r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)) (stdout|stderr) ([FP])(?: (.*))?$", re.DOTALL
)
_TALOS = re.compile(
    r"^(\d+\.\d+\.\d+\.\d+|[\w.\-]+): (kern|user|daemon|\w+):\s+(\w+): \[(\d{4}-\d\d-\d\dT[\d:.]+Z?)\]: ?(.*)$",
    re.DOTALL,
)
_COMPOSE = re.compile(r"^([\w][\w.\-]*?)\s+\| (.*)$", re.DOTALL)
_RUNNER = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6,9}Z)(?: \d\d[OE]\+?)? (.*)$", re.DOTALL)
_TALOS_LEVELS = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}


def unwrap_cri(line: str) -> Unwrapped | None:
    found = _CRI.match(line)
    if found is None:
        return None
    return Unwrapped(found[4] or "", stamp=Stamp("iso", found[1]), fields=(("stream", found[2]), ("partial", found[3])))


def unwrap_talos(line: str) -> Unwrapped | None:
    found = _TALOS.match(line)
    if found is None:
        return None
    host, facility, level, stamp, text = found.groups()
    return Unwrapped(
        text,
        stamp=Stamp("iso", stamp),
        host=host,
        ident="kernel" if facility == "kern" else facility,
        level=_TALOS_LEVELS.get(level),
    )


def unwrap_compose(line: str) -> Unwrapped | None:
    found = _COMPOSE.match(line)
    return Unwrapped(found[2], fields=(("container", found[1]),)) if found else None


def unwrap_runner(line: str) -> Unwrapped | None:
    found = _RUNNER.match(line)
    return Unwrapped(found[2], stamp=Stamp("iso", found[1])) if found else None


CRI = Envelope(
    name="cri",
    needle=" std",
    unwrap=unwrap_cri,
    samples=(
        Sample(
            "2026-02-03T04:21:46.000003000Z stdout F x y",
            Unwrapped(
                "x y",
                stamp=Stamp("iso", "2026-02-03T04:21:46.000003000Z"),
                fields=(("stream", "stdout"), ("partial", "F")),
            ),
        ),
    ),
    rewrap=lambda text, n: f"2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}.000003000Z stdout F {text}",
)
TALOS = Envelope(
    name="talos",
    needle=": [",
    unwrap=unwrap_talos,
    samples=(
        Sample(
            "192.0.2.91: kern:    info: [2026-02-03T04:05:55.921978000Z]:  dump_stack+0x67/0x95",
            Unwrapped(
                " dump_stack+0x67/0x95",
                stamp=Stamp("iso", "2026-02-03T04:05:55.921978000Z"),
                host="192.0.2.91",
                ident="kernel",
                level=6,
            ),
        ),
    ),
    rewrap=lambda text, n: (
        f"192.0.2.91: kern:    info: [2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}.921978000Z]: {text}"
    ),
)
COMPOSE = Envelope(
    name="compose",
    needle=" | ",
    unwrap=unwrap_compose,
    samples=(Sample("web-1  | [   12.5] x", Unwrapped("[   12.5] x", fields=(("container", "web-1"),))),),
    rewrap=lambda text, n: f"web-1  | [{1000 + n / 1000:12.6f}] {text}",
)
RUNNER = Envelope(
    name="ci-runner",
    needle="Z ",
    unwrap=unwrap_runner,
    samples=(
        Sample("2026-02-03T04:21:46.1234567Z x", Unwrapped("x", stamp=Stamp("iso", "2026-02-03T04:21:46.1234567Z"))),
    ),
    rewrap=lambda text, n: f"2026-02-03T04:{n // 60 % 60:02d}:{n % 60:02d}.1234567Z [{1000 + n / 1000:12.6f}] {text}",
)
