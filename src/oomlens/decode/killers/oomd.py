"""Facebook's oomd: one structured line per kill, to the kernel's log too (src/oomd/Log.cpp, plugins/BaseKillPlugin.cpp)."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope


def _killed(found: re.Match[str], record: Record) -> Sighting | None:
    if "(dry)" in record.text or "killer:(dry" in record.text:
        return None
    details = {"usage": found["usage"], "pressures": found["pressures"].strip()}
    if found["rest"]:
        details["ruleset"] = found["rest"].strip()
    return Sighting(
        Kind.USERSPACE, "oomd", Outcome.KILLED, record.text, Scope.MEMCG, task_memcg=found["path"], details=details
    )


KILLER = Killer(
    name="oomd",
    needles=("oomd kill:",),
    read=one_line(
        (
            (
                r"oomd kill: (?P<pressures>[\d.]+ [\d.]+ [\d.]+ )(?P<path>\S+) (?P<usage>\d+)(?P<rest> .*)?$",
                _killed,
            ),
        ),
        idents=("oomd", "kernel", "user"),
    ),
    samples=(
        (
            ("oomd kill: 12.00 3.00 1.00 system.slice/a.service 123456 ruleset:[r] detectorgroup:[d] killer:kill_by_swap",),
            "oomd",
            Sighting(
                Kind.USERSPACE, "oomd", Outcome.KILLED,
                "oomd kill: 12.00 3.00 1.00 system.slice/a.service 123456 ruleset:[r] detectorgroup:[d] killer:kill_by_swap",
                Scope.MEMCG, task_memcg="system.slice/a.service",
                details={
                    "usage": "123456", "pressures": "12.00 3.00 1.00",
                    "ruleset": "ruleset:[r] detectorgroup:[d] killer:kill_by_swap",
                },
            ),
        ),
        (("oomd kill: 12.00 3.00 1.00 a 1 killer:(dry)kill_by_swap",), "oomd", None),
    ),
    source="oomd src/oomd/plugins/BaseKillPlugin.cpp",
)  # fmt: skip
