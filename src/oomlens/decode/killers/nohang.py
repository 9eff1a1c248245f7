"""nohang: "Sending SIGTERM to the victim" lines within its corrective action."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim


def _sent(found: re.Match[str], record: Record) -> Sighting:
    pid = found["pid"]
    victim = Victim(pid=int(pid) if pid else None, comm=found["comm"], signal=found["signal"])
    return Sighting(Kind.USERSPACE, "nohang", Outcome.KILLED, record.text, Scope.GLOBAL, (victim,))


KILLER = Killer(
    name="nohang",
    needles=("sending sig", "sent to the victim", "signal sent to"),
    read=one_line(
        (
            (
                r"^\s*(?:\[OK\] ?)?Sending (?P<signal>SIG[A-Z]+) to (?:the victim )?(?P<comm>\S+) \(?\[?(?:PID:? ?)?(?P<pid>\d+)\]?\)?",
                _sent,
            ),
            (r"^\s*(?P<signal>SIG[A-Z]+) sent to the victim (?P<comm>\S+) \(?\[?(?:PID:? ?)?(?P<pid>\d+)", _sent),
        ),
        idents=("nohang", "nohang-desktop", "python3"),
    ),
    samples=(
        (
            ("[OK] Sending SIGTERM to tail [PID: 31415]",),
            "nohang",
            Sighting(
                Kind.USERSPACE, "nohang", Outcome.KILLED, "[OK] Sending SIGTERM to tail [PID: 31415]", Scope.GLOBAL,
                (Victim(pid=31415, comm="tail", signal="SIGTERM"),),
            ),
        ),
        (("Memory status that requires corrective actions:",), "nohang", None),
    ),
    source="nohang src/nohang",
)  # fmt: skip
