"""What was asked of our guard, and what was measured of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from machine import NS_PER_INSTRUCTION
from reports import first_signal, killed

Row = Mapping[str, Any]
OURS = "oomlens"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure of one workload; `unit` as it is shown after the figure."""

    work: str
    what: str
    measure: Callable[[Row], float | None]
    least: float | None = None
    most: float | None = None
    unit: str = ""
    digits: int = 2

    def met(self, value: float | None) -> bool:
        """An unknown value meets nothing."""
        return (
            value is not None
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )

    def bound(self) -> str:
        """The bound in words."""
        if self.most == 0:
            return "none"
        sign, number = ("at least", self.least) if self.least is not None else ("at most", self.most)
        return f"{sign} {number:g}{self.unit}"


def dead(row: Row) -> float | None:
    """Seconds to the leaker's death."""
    return float(row["dead_s"]) if row["dead_s"] >= 0 else None


def left(row: Row) -> float:
    """MB that were still available at the lowest point."""
    return float(row["min_avail_mb"])


def stall(row: Row) -> float:
    """The longest stall of the interactive program."""
    return float(row["probe"]["max"])


def warned_before(row: Row) -> float | None:
    """Seconds between the first warning and the first signal."""
    signal, warned = first_signal(row), row.get("warned_s")
    return None if signal is None or warned is None else signal - float(warned)


def signal_delay(row: Row) -> float | None:
    """ms from the moment when only 10 % are available (the level of SIGTERM) to the first signal."""
    signal = first_signal(row)
    return None if signal is None or row["below10_s"] < 0 else (signal - float(row["below10_s"])) * 1000


def decision(row: Row) -> float | None:
    """ms from the look at the memory to the decision, by the guard's own clock."""
    value = row.get("decided_ms")
    return None if value is None else float(value)


def deaths(row: Row) -> float:
    """Who died though innocent."""
    return float(len(killed(row)))


def _use(name: str, factor: float = 1.0) -> Callable[[Row], float]:
    return lambda row: float(row["guard_use"][name]) * factor


TARGETS = (
    Target("fast", "leaker dead", dead, most=1.6, unit=" s"),
    Target("fast", "still available", left, least=35, unit=" MB", digits=0),
    Target("fast", "longest stall of the interactive program", stall, most=0.05, unit=" s", digits=3),
    Target("slow", "still available", left, least=40, unit=" MB", digits=0),
    Target("slow", "warned before the first signal", warned_before, least=5, unit=" s"),
    Target("thrash", "leaker dead", dead, most=3, unit=" s"),
    Target("thrash-nolimit", "leaker dead", dead, most=8, unit=" s"),
    Target("stubborn", "leaker dead", dead, most=4, unit=" s"),
    Target("forks", "leaker dead", dead, most=1.4, unit=" s"),
    Target("swap", "leaker dead", dead, most=20, unit=" s"),
    Target("healthy", "killed", deaths, most=0, digits=0),
    Target(
        "decide",
        "from the level crossed to the first signal, 1,000 processes",
        signal_delay,
        most=50,
        unit=" ms",
        digits=0,
    ),
    Target("decide", "of it, to choose among them", decision, most=50, unit=" ms", digits=0),
    Target(
        "idle",
        "instructions in a minute of rest",
        _use("idle_cpu_s_per_min", 1000 / NS_PER_INSTRUCTION),
        most=16,
        unit=" M",
    ),
    Target("idle", "wake-ups a second", _use("idle_switches_per_s"), most=4.3),
    Target("idle", "resident", _use("rss_kb", 1 / 1024), most=11, unit=" MB"),
    Target("idle", "of it anonymous", _use("anon_kb", 1 / 1024), most=4.5, unit=" MB"),
)
