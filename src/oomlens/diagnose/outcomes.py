"""Short ways to write the three answers of a rule."""

from __future__ import annotations

from oomlens.model.finding import Evidence, Outcome, Verdict

Parameter = int | float | str | None


def found(
    *evidence: Evidence,
    confidence: float,
    weight: float,
    remedies: tuple[str, ...] = (),
    explanation: str | None = None,
    **parameters: Parameter,
) -> Outcome:
    """The cause is there; weight says how much of the shortage it explains (0..1)."""
    return Outcome(
        Verdict.FOUND,
        confidence=confidence,
        weight=min(weight, 1.0),
        evidence=evidence,
        parameters=parameters,
        remedies=remedies,
        explanation=explanation,
    )


def ruled_out(*evidence: Evidence, confidence: float = 0.95, **parameters: Parameter) -> Outcome:
    """The cause is not there, because of these numbers."""
    return Outcome(Verdict.RULED_OUT, confidence=confidence, evidence=evidence, parameters=parameters)


def undecided(*missing: str) -> Outcome:
    """The report does not say; `missing` names what would have decided."""
    return Outcome(Verdict.UNDECIDED, missing=missing)
