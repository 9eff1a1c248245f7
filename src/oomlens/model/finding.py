"""What a rule says about an incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oomlens.model.report import Report


class Verdict(StrEnum):
    FOUND = "found"
    RULED_OUT = "ruled_out"
    UNDECIDED = "undecided"


class Evidence(NamedTuple):
    """One number (or word) that a verdict rests on, and what it was compared with.

    unit: "bytes", "pages", "count", "percent", "seconds", "ratio" or None for words.
    comparison: the arithmetic in one short expression of names and values, such as "swap_total_bytes == 0".
    line: of the source, where the value was read; None for a derived value.
    """

    name: str
    value: int | float | str | bool | None
    unit: str | None = None
    comparison: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule's answer.

    confidence: 0..1, how often such a verdict is right (checked against the labelled corpora); 0 for undecided.
    weight: 0..1, how much of the shortage this cause explains; orders the found ones.
    missing: names of what would have decided, for undecided.
    parameters: values for the rule's texts (raw numbers; formatting is the renderer's).
    remedies: ids of remedies in the order to try.
    explanation: the rule's text in this form of the cause, where it has several.
    """

    verdict: Verdict
    confidence: float = 0.0
    weight: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    parameters: Mapping[str, int | float | str | None] = field(default_factory=dict)
    remedies: tuple[str, ...] = ()
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """What rules look at: a report, and the others of the same run, oldest first."""

    report: Report
    others: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's answer with its name on it."""

    rule: str
    code: str
    outcome: Outcome
