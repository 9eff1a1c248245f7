"""What a person wants of a unit's limits, and why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.model.plan import Refusal, Text, Value
from oomlens.plan.units.facts import UnitFacts

KIND = "limit unit"
POLICIES = ("stop", "continue", "kill")
_SCORES = range(-1000, 1001)
# Units with processes: systemd.exec(5) counts for these; OOMPolicy for services alone (and scopes, when they are made).
_RUN = ("Service", "Socket", "Mount", "Swap")


@dataclass(frozen=True, slots=True)
class LimitWish:
    """Sizes in bytes; None: as it is. max_bytes None with nothing else asked for: sized from what it used.

    promised_bytes: limits of the other units and containers together.
    """

    unit: str
    max_bytes: int | None = None
    high_bytes: int | None = None
    swap_max_bytes: int | None = None
    low_bytes: int | None = None
    min_bytes: int | None = None
    oom_policy: str | None = None
    oom_score_adj: int | None = None
    promised_bytes: int = 0
    even_below_usage: bool = False

    @property
    def bare(self) -> bool:
        """Whether only a unit was named."""
        sizes = (self.max_bytes, self.high_bytes, self.swap_max_bytes, self.low_bytes, self.min_bytes)
        return all(each is None for each in (*sizes, self.oom_policy, self.oom_score_adj))

    @property
    def live(self) -> bool:
        """Whether anything of it can be set while the unit runs."""
        sizes = (self.max_bytes, self.high_bytes, self.swap_max_bytes, self.low_bytes, self.min_bytes)
        return self.bare or any(each is not None for each in sizes)


def below_usage(limit_bytes: int | None, usage_bytes: int | None) -> bool:
    """Whether a limit would kill at once: what is in use is not less."""
    return limit_bytes is not None and usage_bytes is not None and usage_bytes >= limit_bytes


def problem_of(wish: LimitWish, facts: UnitFacts) -> Refusal | None:
    """Why there can be no plan, whatever the unit uses."""
    above = wish.high_bytes is not None and wish.max_bytes is not None and wish.high_bytes > wish.max_bytes
    policy, score = wish.oom_policy, wish.oom_score_adj
    rows = (
        (
            not facts.known and not facts.user,
            "no-unit",
            message("There is no unit {unit}."),
            message("systemctl list-units --all prints their names; for a container: oomlens plan limit container"),
        ),
        (
            facts.masked,
            "masked",
            message("{unit} is masked: it may not be started at all."),
            message("If it shall run: systemctl unmask, then plan again."),
        ),
        (
            facts.transient and facts.usage is None,
            "not-running",
            message("{unit} is transient and does not run."),
            message("Give its limit where it is started: systemd-run -p MemoryMax=…"),
        ),
        (
            facts.transient and not wish.live,
            "transient",
            message("{unit} is transient: OOMPolicy and OOMScoreAdjust are set when it is made."),
            message("Give them where it is started: systemd-run -p OOMPolicy=… -p OOMScoreAdjust=…"),
        ),
        (
            policy not in (None, *POLICIES),
            "oom-policy",
            message("OOMPolicy is stop, continue or kill, not {policy}."),
            message("See systemd.service(5)."),
        ),
        (
            score is not None and score not in _SCORES,
            "oom-score-adj",
            message("OOMScoreAdjust is a number from -1000 to 1000, not {adj}."),
            message("See systemd.exec(5)."),
        ),
        (
            policy is not None and facts.section != "Service",
            "no-policy",
            message("{unit} is no service: only a service has OOMPolicy."),
            message("Name the service; its cgroup is killed whole or not by memory.oom.group."),
        ),
        (
            policy is not None and bool(facts.shown) and facts.shown.get("LoadState") == "loaded" and not facts.shown.get("OOMPolicy"),
            "old-systemd",
            message("This systemd does not know OOMPolicy."),
            message("Leave it out; it came with systemd 243."),
        ),
        (
            score is not None and facts.section not in _RUN,
            "no-processes",
            message("{unit} starts no process of its own, so it has no OOMScoreAdjust."),
            message("Name the service, or change processes that run: oomlens plan protect, oomlens plan sacrifice"),
        ),
        (
            0 in (wish.max_bytes, wish.high_bytes),
            "zero",
            message("A limit of 0 would stop or kill everything in {unit}."),
            message("Give a size, such as 512M."),
        ),
        (
            above,
            "high-above-max",
            message("MemoryHigh would be above MemoryMax, and never act."),
            message("Give less for --high, or leave it out."),
        ),
    )  # fmt: skip
    for wrong, code, text, hint in rows:
        if wrong:
            values: dict[str, Value] = {"unit": wish.unit, "policy": policy, "adj": score}
            return Refusal(code, KIND, wish.unit, Text(text, values), Text(hint))
    return None
