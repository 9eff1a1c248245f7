"""runtime: Node, Go, .NET, glibc's malloc, PostgreSQL, MySQL and Redis fitted into their limit, each by its own lever."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Plan, Proposal, Refusal, Step, Text, Watch
from oomlens.plan.assemble import make_plan
from oomlens.plan.runtimes import BY_NAME
from oomlens.plan.runtimes.row import KIND, MIB, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.place import Place, refused, step_for


@dataclass(frozen=True, slots=True)
class RuntimeTarget:
    """place: where its variables are set. raise_argv: arguments of `oomlens plan` that raise its limit, without the size.

    after: steps that follow, such as a restart. watch: what verify counts.
    """

    place: Place
    raise_argv: tuple[str, ...] = ()
    after: tuple[Step, ...] = ()
    watch: Watch = field(default_factory=Watch)
    argv: tuple[str, ...] = ()


def propose(wish: RuntimeWish, facts: RuntimeFacts, target: RuntimeTarget) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    row = BY_NAME.get(facts.runtime)
    if row is None:
        text = message("{target} is {runtime}: there is no lever for that here.")
        hint = Text(message("Name what it is: --as {names}"), {"names": "|".join(BY_NAME)})
        return (refused(KIND, facts.target, "no-lever", text, hint, target=facts.target, runtime=facts.runtime),)
    if not facts.limit_bytes:
        text = message("There is no memory limit that {target} could be fitted into.")
        hint = Text(message("Give one: --limit 512M"))
        return (refused(KIND, facts.target, "no-limit", text, hint, target=facts.target),)
    change = row.choose(wish, facts, facts.limit_bytes)
    if isinstance(change, Refusal):
        return (change,)
    steps = list(change.steps)
    if change.setting is not None:
        step = step_for(target.place, change.setting, KIND, facts.target)
        if isinstance(step, Refusal):
            return (step,)
        steps.append(step)
    return (make_plan(_plan(row, facts, change, (*steps, *target.after), target)),)


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
    wanted = -(-(needed + facts.others_bytes) // (16 * MIB)) * 16
    values = {"more_bytes": needed - limit, "needed_bytes": needed, "limit_bytes": limit}
    text = message("the other way costs {more_bytes} of RAM: as it is it needs {needed_bytes}, and has {limit_bytes}")
    if target.raise_argv:
        command = shlex.join(["oomlens", "plan", *target.raise_argv, f"{wanted}M"])
        text = message(
            "the other way costs {more_bytes} of RAM: as it is it needs {needed_bytes}, and has {limit_bytes}: {command}"
        )
        yield Text(text, {**values, "command": command})
        return
    yield Text(text, values)
