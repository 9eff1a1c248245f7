"""The incident that a verb is about, read from sources and diagnosed."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from oomlens.cli.reading import Reading
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.finding import Diagnosis


def diagnosed(asked: argparse.Namespace, wanted: str | None, tr: Translate) -> tuple[Diagnosis | None, str | None]:
    """The wanted incident of the sources, else the latest; or what was wrong with the request."""
    from oomlens.cli.diagnose import choose
    from oomlens.cli.jsonout import Spool
    from oomlens.diagnose.page import diagnosis_of
    from oomlens.model.codec import report_from_dict
    from oomlens.model.finding import Incident
    from oomlens.pipeline import merge

    with closing(Spool()) as spool:
        reports = list(merge(map(spool.keep, Reading(asked, tr).reports())))
        chosen, problem = choose(reports, wanted, tr)
        if chosen is None:
            return None, problem
        whole = report_from_dict(spool.whole(chosen))
    others = tuple(whole if report is chosen else report for report in reports)
    return diagnosis_of(Incident(whole, others)), None
