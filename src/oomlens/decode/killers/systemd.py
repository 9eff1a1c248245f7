"""systemd (PID 1) says that the kernel, or systemd-oomd, killed in a unit (src/core/unit.c, src/core/service.c)."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome

_UNIT = r"(?P<unit>\S+\.(?:service|scope|slice|socket|mount|swap))"


def _kernel(found: re.Match[str], record: Record) -> Sighting:
    details = {"reported_by": "systemd", "unit": found["unit"]}
    return Sighting(Kind.NOTICE, "kernel", Outcome.KILLED, record.text, details=details)


def _oomd(found: re.Match[str], record: Record) -> Sighting:
    details = {"reported_by": "systemd", "unit": found["unit"]}
    if found["count"]:
        details["processes"] = found["count"]
    return Sighting(Kind.NOTICE, "systemd-oomd", Outcome.KILLED, record.text, details=details)


KILLER = Killer(
    name="systemd",
    needles=("oom killer", "oom-kill'", "systemd-oomd killed"),
    read=one_line(
        (
            (rf"^{_UNIT}: A process of this unit has been killed by the OOM killer\.", _kernel),
            (rf"^{_UNIT}: The kernel OOM killer killed some processes in this unit\.", _kernel),
            (rf"^{_UNIT}: Failed with result 'oom-kill'\.", _kernel),
            (rf"^{_UNIT}: systemd-oomd killed (?:(?P<count>\d+|some) )?process\(?e?s?\)? in this unit\.", _oomd),
        ),
        idents=("systemd",),
    ),
    samples=(
        (
            ("a.service: A process of this unit has been killed by the OOM killer.",),
            "systemd",
            Sighting(
                Kind.NOTICE, "kernel", Outcome.KILLED, "a.service: A process of this unit has been killed by the OOM killer.",
                details={"reported_by": "systemd", "unit": "a.service"},
            ),
        ),
        (
            ("a.service: systemd-oomd killed 3 process(es) in this unit.",),
            "systemd",
            Sighting(
                Kind.NOTICE, "systemd-oomd", Outcome.KILLED, "a.service: systemd-oomd killed 3 process(es) in this unit.",
                details={"reported_by": "systemd", "unit": "a.service", "processes": "3"},
            ),
        ),
        (("a.service: Failed with result 'exit-code'.",), "systemd", None),
        (("a.service: Failed to adjust OOM score (oom_score_adj) to -900: Permission denied",), "systemd", None),
    ),
    source="systemd src/core/unit.c, src/core/service.c",
)  # fmt: skip
