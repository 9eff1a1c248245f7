"""runtime: Node, Go, .NET, glibc's malloc, PostgreSQL, MySQL and Redis fitted into their limit, each by its own lever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Plan, Proposal, Refusal, Step, Text, Value, Watch
from oomlens.plan.assemble import make_plan
from oomlens.plan.runtimes import BY_NAME
from oomlens.plan.runtimes.row import KIND, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.more_memory import raise_command, rounded
from oomlens.plan.start.place import Start, anew, refused, steps_for


@dataclass(frozen=True, slots=True)
class RuntimeTarget:
    """raise_argv: arguments of `oomlens plan` that raise its limit, up to the size. watch: what verify counts. argv: of this plan."""

    raise_argv: tuple[str, ...] = ()
    watch: Watch = field(default_factory=Watch)
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Considered:
    """What is to be changed, before it is known where."""

    facts: RuntimeFacts
    target: RuntimeTarget
    row: Row
    change: Change


def consider(wish: RuntimeWish, facts: RuntimeFacts, target: RuntimeTarget) -> Considered | Refusal:
    """The change, or why there is none to make."""
    row = BY_NAME.get(facts.runtime)
    if row is None:
        text = message("{target} is {runtime}: there is no lever for that here.")
        hint = Text(message("Name what it is: --as {names}"), {"names": "|".join(BY_NAME)})
        return refused(KIND, facts.target, "no-lever", text, hint, target=facts.target, runtime=facts.runtime)
    if not facts.limit_bytes:
        text = message("There is no memory limit that {target} could be fitted into.")
        hint = Text(message("Give one: --limit 512M"))
        return refused(KIND, facts.target, "no-limit", text, hint, target=facts.target)
    change = row.choose(wish, facts, facts.limit_bytes)
    return change if isinstance(change, Refusal) else Considered(facts, target, row, change)


def propose(considered: Considered, start: Start | None) -> tuple[Proposal, ...]:
    """One plan, or why there is none. start: where it is started; None: not known, as it need not be for a server with a file of its own."""
    change = considered.change
    steps: tuple[Step, ...] = ()
    if change.setting is None:
        steps = tuple(anew(start, considered.facts.target)) if start is not None else ()
    else:
        assert start is not None
        set_there = steps_for(start, change.setting, KIND, considered.facts.target)
        if isinstance(set_there, Refusal):
            return (set_there,)
        steps = set_there
    plan = _plan(considered.row, considered.facts, change, (*change.steps, *steps), considered.target)
    return (make_plan(replace(plan, preconditions=start.checks if start is not None else ())),)


def _plan(row: Row, facts: RuntimeFacts, change: Change, steps: tuple[Step, ...], target: RuntimeTarget) -> Plan:
    limit = facts.limit_bytes or 0
    told = facts.limit_of
    if facts.others_bytes:
        told += f": {limit + facts.others_bytes} - {facts.others_bytes} (others)"
    return Plan(
        kind=KIND,
        remedy=row.remedy,
        target=facts.target,
        title=change.title,
        steps=steps,
        argv=target.argv,
        why=(*change.why, *_other_way(facts, change, target)),
        arithmetic=(Evidence("limit", limit, "bytes", told), *change.arithmetic),
        warnings=(*change.warnings, *facts.gaps),
        watch=target.watch,
    )


def _other_way(facts: RuntimeFacts, change: Change, target: RuntimeTarget) -> Iterator[Text]:
    limit, needed = facts.limit_bytes, change.needed_bytes
    if limit is None or needed is None or needed <= limit:
        return
    values = {"more_bytes": needed - limit, "needed_bytes": needed, "limit_bytes": limit}
    text = message("the other way costs {more_bytes} of RAM: as it is it needs {needed_bytes}, and has {limit_bytes}")
    yield Text(text, values)
    command = raise_command(target.raise_argv, needed + facts.others_bytes)
    if command is not None:
        told: dict[str, Value] = {"wanted_bytes": rounded(needed + facts.others_bytes), "command": command}
        yield Text(message("raise its limit to {wanted_bytes}: {command}"), told)
