"""The same program or cgroup has been killed before."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.series import same_subject, series_of
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome


def check(incident: Incident, _figures: Figures) -> Outcome:
    report = incident.report
    earlier = [other for other in incident.others if other is not report and same_subject(other, report)]
    if not incident.others:
        return ruled_out(Evidence("incidents", 1, "count", message("the only one in what was read")))
    if not earlier:
        return ruled_out(
            Evidence(
                "incidents", len(incident.others), "count", message("none of them about the same program or cgroup")
            )
        )
    series = series_of((*earlier, report))
    first, last = (
        series.held_bytes[0] if series.held_bytes else None,
        series.held_bytes[-1] if series.held_bytes else None,
    )
    return found(
        Evidence("incidents", series.count, "count", None, report.lines.get("victims")),
        Evidence("interval_seconds", series.interval_seconds, "seconds", message("median time between them")),
        confidence=0.9,
        weight=0.25,
        remedies=("find-leak", "watch-memory", "restart-periodically"),
        explanation=_TIMED if series.interval_seconds is not None else None,
        subject=series.subject,
        count=series.count,
        interval_seconds=series.interval_seconds,
        first_bytes=first,
        last_bytes=last,
    )


_TIMED = message(
    "{subject} has been killed {count} times, about every {interval_seconds}. A limit that is raised again and"
    " again only makes the interval longer."
)

RULE = Rule(
    id="repeat-offender",
    code="OOM122",
    rank=55,
    check=check,
    title=message("It happens again and again"),
    explanation=message("{subject} has been killed {count} times in what was read."),
    related=("anon-growth", "cgroup-limit-reached"),
)
