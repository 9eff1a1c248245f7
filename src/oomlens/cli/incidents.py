"""The incident that a verb is about, read from sources and diagnosed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from oomlens.cli.reading import Reading
from oomlens.cli.recording.recorded import Recorded
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.finding import Diagnosis
    from oomlens.model.report import Report


class Found(NamedTuple):
    """reports: all of the sources, light. diagnosis: of the chosen one. problem: what was wrong with the request."""

    reports: Sequence[Report]
    diagnosis: Diagnosis | None
    problem: str | None = None


def diagnosed(reading: Reading, wanted: str | None, tr: Translate) -> Found:
    """The incident with the wanted id, else the latest."""
    from oomlens.cli.diagnose import choose
    from oomlens.cli.jsonout import Spool
    from oomlens.diagnose.page import diagnosis_of
    from oomlens.model.codec import report_from_dict
    from oomlens.model.finding import Incident
    from oomlens.pipeline import merge

    recorded = Recorded(reading.args, tr)
    with closing(Spool()) as spool:
        reports = merge(map(spool.keep, chain(reading.reports(), recorded.reports())))
        reading.read += ["recorder"] * recorded.used
        chosen, problem = choose(reports, wanted, tr)
        if chosen is None:
            return Found(reports, None, problem)
        whole = report_from_dict(spool.whole(chosen))
    others = tuple(whole if report is chosen else report for report in reports)
    return Found(reports, diagnosis_of(Incident(whole, others), recorded.past_of(whole)))
