"""What a rule says about an incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oomlens.model.evidence import Evidence as Evidence
from oomlens.model.past import Past
from oomlens.model.report import Report


class Verdict(StrEnum):
    FOUND = "found"
    RULED_OUT = "ruled_out"
    UNDECIDED = "undecided"


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


class Candidate(NamedTuple):
    """A process as the kernel's choice saw it; None where the report lacks a number.

    points: badness in pages (permille in 2.6.36 to 2.6.38 and RHEL 6). adj_points: the part that oom_score_adj adds.
    """

    pid: int
    comm: str
    held_bytes: int | None
    oom_score_adj: int | None
    points: int | None
    adj_points: int | None
    killed: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Why this victim: the kernel's badness recomputed for every process of the report.

    how: "highest", "child", "allocating-task", "group", "by-hand", "differs", "nobody" or "unknown".
    algorithm: generation of `oom_badness` (`oomlens.kernel.badness.Epoch`); total_pages: what adj is a thousandth of.
    candidates: best first. spared: large processes that could not be chosen (oom_score_adj -1000, or PID 1).
    first_without_adj: who would have been chosen if no process had an oom_score_adj, where that is another one.
    spare_at_adj: the highest oom_score_adj of the victim with which the second would have been chosen.
    """

    how: str
    algorithm: str | None = None
    total_pages: int | None = None
    candidates: tuple[Candidate, ...] = ()
    spared: tuple[Candidate, ...] = ()
    first_without_adj: Candidate | None = None
    spare_at_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Would it have survived with this change? Only where the report supports an answer.

    change: "limit", "swap", "heap", "oom-score-adj", "huge-pages", "workers". to: the amount, in `unit`.
    verdict: "enough" (for this incident), "lower-bound" (at least this; more may be needed), "delays", "moves-the-kill".
    arithmetic: how the amount came about, in names and numbers.
    """

    change: str
    to: int
    unit: str
    verdict: str
    arithmetic: str
    explanation: str
    parameters: Mapping[str, int | float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Advice:
    """A remedy with this incident's values: what to do, ready to run.

    commands: shell lines, comments among them; safety: "safe", "disruptive" (restarts something) or "manual" (think first).
    """

    id: str
    title: str
    text: str
    safety: str
    commands: tuple[str, ...]
    parameters: Mapping[str, int | float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's answer with its name on it."""

    rule: str
    code: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that is said about one incident. past: where a recorded history tells of the time before it."""

    incident: Incident
    findings: tuple[Finding, ...]
    choice: Choice
    counterfactuals: tuple[Counterfactual, ...]
    advice: tuple[Advice, ...]
    past: Past | None = None
