"""earlyoom (kill.c): one line names victim, signal and sizes; thresholds and dry runs kill nobody."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line, to_bytes
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim


def _sent(found: re.Match[str], record: Record) -> Sighting | None:
    if "dryrun" in record.text.lower() or found["signal"] == "0":
        return None
    victim = Victim(
        pid=int(found["pid"]), comm=found["comm"], uid=int(found["uid"]) if found["uid"] else None,
        score=int(found["score"]) if found["score"] else None,
        rss_bytes=to_bytes(found["rss"], found["unit"]) if found["rss"] else None,
        oom_score_adj=int(found["adj"]) if found["adj"] else None, signal=found["signal"],
    )  # fmt: skip
    return Sighting(Kind.USERSPACE, "earlyoom", Outcome.KILLED, record.text, Scope.GLOBAL, (victim,))


KILLER = Killer(
    name="earlyoom",
    needles=("sending sig", "killing process"),
    read=one_line(
        (
            (
                r"^(?:low memory! at or below .*: )?[Ss]ending (?P<signal>SIG[A-Z]+)(?: \(.*?\))? to process (?P<pid>\d+)"
                r"(?: uid (?P<uid>\d+))? \"(?P<comm>.*?)\": (?:oom_score|badness) (?P<score>-?\d+)"
                r"(?:, oom_score_adj (?P<adj>-?\d+))?(?:, VmRSS (?P<rss>[\d.]+) (?P<unit>[KMG]i?B))?",
                _sent,
            ),
            (
                r"^[Kk]illing process (?P<pid>\d+)(?: uid (?P<uid>\d+))? \"?(?P<comm>.*?)\"?(?: with signal| with)? (?P<signal>SIG[A-Z]+)?"
                r"(?P<score>)(?P<rss>)(?P<unit>)(?P<adj>)$",
                _sent,
            ),
        ),
        idents=("earlyoom",),
    ),
    samples=(
        (
            ('sending SIGTERM to process 1234 uid 1000 "chrome": oom_score 800, VmRSS 2 MiB, cmdline "x"',),
            "earlyoom",
            Sighting(
                Kind.USERSPACE, "earlyoom", Outcome.KILLED,
                'sending SIGTERM to process 1234 uid 1000 "chrome": oom_score 800, VmRSS 2 MiB, cmdline "x"',
                Scope.GLOBAL, (Victim(pid=1234, comm="chrome", uid=1000, score=800, rss_bytes=2 << 20, signal="SIGTERM"),),
            ),
        ),
        (("low memory! at or below SIGTERM limits: mem 10.00%, swap 10.00%",), "earlyoom", None),
        (("sending SIGTERM when mem avail <= 10.00% and swap free <= 10.00%,",), "earlyoom", None),
    ),
    source="earlyoom kill.c",
)  # fmt: skip
