"""What an incident or a risk asks for is something that `oomlens plan` understands."""

from __future__ import annotations

import argparse

import pytest

from oomlens.cli.plan import add_kinds
from oomlens.diagnose.page import diagnosis_of
from oomlens.i18n import english
from oomlens.model.finding import Incident
from oomlens.plan.wishes import RISKS, wishes_of_incident
from oomlens.render.status import risk_texts
from support.cases import Case, all_cases
from support.decode import incidents


def understood(argv: tuple[str, ...]) -> bool:
    parser = argparse.ArgumentParser(prog="oomlens plan")
    add_kinds(parser, english)
    return parser.parse_args(list(argv)).planner is not None


@pytest.mark.parametrize("kind", RISKS)
def test_a_risks_wish_is_understood(kind: str) -> None:
    assert kind in risk_texts(english)
    assert understood(RISKS[kind])


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_an_incidents_wishes_are_understood(case: Case) -> None:
    reports = tuple(incidents(case.log))
    for report in reports:
        for wish in wishes_of_incident(diagnosis_of(Incident(report, reports))):
            assert understood(wish.argv), wish.argv


def test_a_docker_container_at_its_limit_is_given_more() -> None:
    (case,) = [case for case in all_cases() if case.name == "cad-docker-two-memhog-49"]
    reports = tuple(incidents(case.log))
    report = reports[-1]
    assert report.oom_memcg is not None
    container = report.oom_memcg.rpartition("/")[2]
    limits = [
        wish.argv for wish in wishes_of_incident(diagnosis_of(Incident(report, reports))) if wish.argv[0] == "limit"
    ]
    assert [argv[:3] for argv in limits] == [("limit", "container", container)]
