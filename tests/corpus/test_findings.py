"""Every real log is diagnosed with the cause that its truth names, and with none that it denies."""

from __future__ import annotations

import pytest

from oomlens.diagnose.page import diagnosis_json, diagnosis_of
from oomlens.diagnose.rules import RULES
from oomlens.model.finding import Incident, Verdict
from support.cases import Case, all_cases
from support.decode import incidents

CASES = [case for case in all_cases() if case.all("FINDING") or case.all("NOT")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cause_of_the_truth_is_among_the_first(case: Case) -> None:
    reports = tuple(incidents(case.log))
    findings = diagnosis_of(Incident(reports[0], reports)).findings
    found = [finding.rule for finding in findings if finding.outcome.verdict is Verdict.FOUND]
    assert [rule for rule in case.all("FINDING") if rule not in found[:3]] == []
    assert [rule for rule in case.all("NOT") if rule in found] == []


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_every_rule_answers_on_every_report(case: Case) -> None:
    reports = tuple(incidents(case.log))
    for report in reports:
        diagnosis = diagnosis_of(Incident(report, reports))
        assert sorted(finding.rule for finding in diagnosis.findings) == sorted(rule.id for rule in RULES)
        for finding in diagnosis.findings:
            outcome = finding.outcome
            assert not any(name.startswith("rule failed") for name in outcome.missing), finding
            assert bool(outcome.evidence) or outcome.verdict is Verdict.UNDECIDED, finding.rule
            assert bool(outcome.missing) == (outcome.verdict is Verdict.UNDECIDED), finding.rule
            assert 0 <= outcome.confidence <= 1
            assert 0 <= outcome.weight <= 1
            for evidence in outcome.evidence:
                assert evidence.line is None or report.origin.first_line <= evidence.line <= report.origin.last_line, (
                    evidence
                )
        assert diagnosis_json(diagnosis, ())["report"]["id"] == report.id


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_the_line_of_a_field_is_in_the_report(case: Case) -> None:
    for report in incidents(case.log):
        origin = report.origin
        if origin.envelope.startswith("quoted-printable"):
            continue  # its lines are those of the decoded text
        assert [name for name, line in report.lines.items() if not origin.first_line <= line <= origin.last_line] == []
