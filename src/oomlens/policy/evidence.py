"""One comparison behind a decision."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Evidence = tuple[str, float | int | str | None, str, float | int | str]
    """(name with its unit, value, "<=" | ">=" | "in", bound)"""


def shown(value: float, digits: int, bound: float) -> float:
    """The value rounded for people; as it is where rounding would make the comparison with its bound another one."""
    rounded = round(value, digits) if digits else round(value)
    return rounded if (rounded <= bound, rounded >= bound) == (value <= bound, value >= bound) else value


class Verdict:
    """A detector's answer: act now, by this signal, because of these. `strength`: 0 holds, 1 SIGTERM, 2 SIGKILL at once."""

    __slots__ = ("evidence", "road", "strength")

    def __init__(self, road: str, strength: int, evidence: tuple[Evidence, ...]) -> None:
        self.road = road
        self.strength = strength
        self.evidence = evidence


def told(evidence: tuple[Evidence, ...]) -> list[dict[str, float | int | str | None]]:
    """For the log."""
    return [
        {"name": name, "value": value, "comparison": comparison, "bound": bound}
        for name, value, comparison, bound in evidence
    ]
