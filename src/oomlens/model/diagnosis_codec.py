"""Diagnosis -> JSON (`oomlens/diagnosis/1`). Never translated: texts are English, values are raw."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from oomlens.model.codec import report_to_dict
from oomlens.model.finding import Advice, Diagnosis, Finding

SCHEMA = "oomlens/diagnosis/1"
Json = dict[str, Any]


def diagnosis_to_dict(diagnosis: Diagnosis, titles: dict[str, tuple[str, str]]) -> Json:
    """The diagnosis as JSON values. titles: per rule id its title and explanation (English)."""
    return {
        "schema": SCHEMA,
        "report": report_to_dict(diagnosis.incident.report),
        "findings": [_finding(finding, titles) for finding in diagnosis.findings],
        "choice": {
            **asdict(diagnosis.choice),
            "candidates": [one._asdict() for one in diagnosis.choice.candidates],
            "spared": [one._asdict() for one in diagnosis.choice.spared],
            "first_without_adj": diagnosis.choice.first_without_adj._asdict()
            if diagnosis.choice.first_without_adj
            else None,
        },
        "counterfactuals": [
            {
                "change": one.change,
                "to": one.to,
                "unit": one.unit,
                "verdict": one.verdict,
                "arithmetic": one.arithmetic,
                "parameters": dict(one.parameters),
            }
            for one in diagnosis.counterfactuals
        ],
        "plan": [_advice(advice) for advice in diagnosis.advice],
    }


def _finding(finding: Finding, titles: dict[str, tuple[str, str]]) -> Json:
    outcome = finding.outcome
    title, explanation = titles.get(finding.rule, (finding.rule, ""))
    return {
        "rule": finding.rule,
        "code": finding.code,
        "verdict": outcome.verdict.value,
        "confidence": outcome.confidence,
        "title": title,
        "explanation": outcome.explanation or explanation,
        "parameters": dict(outcome.parameters),
        "evidence": [evidence._asdict() for evidence in outcome.evidence],
        "missing": list(outcome.missing),
        "remedies": list(outcome.remedies),
    }


def _advice(advice: Advice) -> Json:
    return {"remedy": advice.id, "title": advice.title, "safety": advice.safety, "commands": list(advice.commands)}
