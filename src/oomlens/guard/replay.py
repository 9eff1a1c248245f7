"""A guard's log decided again: each "decided" and "held-back" event holds all that the policy had."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from oomlens.policy.candidate import candidate_from_dict
from oomlens.policy.choose import choose
from oomlens.policy.sample import from_dict
from oomlens.policy.settings import Scope
from oomlens.policy.state import state_from_dict
from oomlens.policy.step import step

SCHEMA = "oomlens/guard-event/1"
DECISIONS = ("decided", "held-back")
# The longest line that is read: 64 candidates of hostile names are far below it.
MOST_LINE_BYTES = 8 << 20
# What a log that somebody else wrote can make of reading it.
_WRONG = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Outcome(NamedTuple):
    """What was decided, then or now. strength: 1 SIGTERM, 2 SIGKILL. reason: why nobody, or why not the whole.

    road None: it saw no need to act.
    """

    road: str | None = None
    strength: int = 0
    evidence: tuple[tuple[Any, ...], ...] = ()
    pid: int | None = None
    start_ticks: int | None = None
    comm: str = ""
    points: int = 0
    object: str = "process"
    target_cgroup: str | None = None
    processes: int = 0
    reason: str | None = None


class Replayed(NamedTuple):
    """One decision, twice. partial: not every candidate is in the log, so the whole that it would take cannot be compared.

    problem: "no-scope" (the configuration has none of that name) or "unreadable" (the event is not what a guard writes); then `now` is None.
    """

    line: int
    time: str
    scope: str
    then: Outcome
    now: Outcome | None
    partial: bool = False
    problem: str | None = None

    @property
    def same(self) -> bool:
        """Whether it would do the same again."""
        return self.now is not None and _compared(self.then, self.partial) == _compared(self.now, self.partial)


class Log(NamedTuple):
    """events: of any kind. damaged: lines that are no guard's event (the last one may be torn)."""

    decisions: tuple[Replayed, ...]
    events: int
    damaged: int


def replay(lines: Iterable[bytes], table: Mapping[str, Any]) -> Log:
    """Every decision of a log, made again by this table."""
    decisions: list[Replayed] = []
    events = damaged = 0
    for number, event in _events(lines):
        if event is None:
            damaged += 1
            continue
        events += 1
        if event.get("event") in DECISIONS:
            decisions.append(_again(number, event, table))
    return Log(tuple(decisions), events, damaged)


def _events(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line) if len(line) <= MOST_LINE_BYTES else None
        except (ValueError, RecursionError):
            event = None
        yield number, event if isinstance(event, dict) and event.get("schema") == SCHEMA else None


def _again(line: int, event: Mapping[str, Any], table: Mapping[str, Any]) -> Replayed:
    time, name = str(event.get("time") or "?"), str(event.get("scope") or "?")
    then = Outcome()
    try:
        then = _recorded(event)
        scope = _scope(table, name)
        if scope is None:
            return Replayed(line, time, name, then, None, problem="no-scope")
        now = decide(event, scope, table)
        partial = int(event.get("ranked") or 0) > len(event["candidates"])
    except _WRONG:
        return Replayed(line, time, name, then, None, problem="unreadable")
    return Replayed(line, time, name, then, now, partial)


def _scope(table: Mapping[str, Any], name: str) -> Scope | None:
    """A scope that a glob of cgroups makes is called "name:cgroup"."""
    for row in table["scopes"]:
        if name == row["name"] or name.startswith(row["name"] + ":"):
            return Scope({**row, "name": name})
    return None


def decide(event: Mapping[str, Any], scope: Scope, table: Mapping[str, Any]) -> Outcome:
    """The step and the choice of one event. Raises anything of `_WRONG` where it is not whole."""
    sample = from_dict(event["sample"])
    _, decisions = step(scope, state_from_dict(event["state"]), sample)
    act = next((decision for decision in decisions if decision.kind == "act"), None)
    if act is None or act.road is None:
        return Outcome()
    choice = choose(
        scope, [candidate_from_dict(row) for row in event["candidates"]], sample.total_kb + sample.swap_total_kb, road=act.road,
        weights=table["weights"], exempt=table["exempt"], own_pid=event["pid"], limit_cgroup=event.get("limit_cgroup"),
        stuck=event.get("stuck") or (),
    )  # fmt: skip
    victim = choice.victim
    evidence = tuple(comparison(row) for row in act.evidence)
    if victim is None:
        return Outcome(act.road, act.strength, evidence, reason=choice.reason)
    return Outcome(
        act.road, act.strength, evidence, _whole(victim.pid), _whole(victim.start_ticks), _text(victim.comm) or "", victim.points,
        choice.object, choice.target_cgroup, len(choice.members), choice.reason,
    )  # fmt: skip


def _recorded(event: Mapping[str, Any]) -> Outcome:
    """Raises ValueError where a part is not of its kind: what a log holds is printed."""
    victim = event.get("victim") or {}
    return Outcome(
        _text(event["road"]),
        _whole(event["strength"]) or 0,
        tuple(comparison(row) for row in event["evidence"]),
        _whole(victim.get("pid")),
        _whole(victim.get("start_ticks")),
        _text(victim.get("comm")) or "",
        _whole(victim.get("points")) or 0,
        _text(event.get("object")) or "process",
        _text(event.get("target_cgroup")),
        _whole(event.get("processes")) or 0,
        _text(event.get("reason")),
    )


def comparison(row: Any) -> tuple[Any, ...]:
    """(name, value, comparison, bound) of a row of evidence, an object or a list. Raises ValueError where it is none."""
    if isinstance(row, Mapping):
        row = (row["name"], row["value"], row["comparison"], row["bound"])
    name, value, sign, bound = row
    for each in (value, bound):
        if not (each is None or isinstance(each, str | int) or (isinstance(each, float) and math.isfinite(each))):
            raise ValueError("no number")
    return _text(name), value, _text(sign), bound


def _text(value: Any) -> str | None:
    if not (value is None or isinstance(value, str)):
        raise ValueError("no text")
    return value


def _whole(value: Any) -> int | None:
    if not (value is None or isinstance(value, int)):
        raise ValueError("no whole number")
    return value


def _compared(outcome: Outcome, partial: bool) -> tuple[Any, ...]:
    """What makes two outcomes the same: the road, the signal, and whom it hits."""
    whom = (outcome.road, outcome.strength, outcome.pid, outcome.start_ticks)
    return whom if partial or outcome.pid is None else (*whom, outcome.object, outcome.target_cgroup, outcome.processes)
