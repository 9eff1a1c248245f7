"""tasks: too many processes. A limit on their number, and as many workers as the memory holds."""

from __future__ import annotations

import shlex

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, Plan, Proposal, Refusal, Text, Value, Watch
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.assemble import make_plan
from oomlens.plan.tasks.facts import KIND, TasksFacts, TasksWish
from oomlens.plan.tasks.workers import refused, workers
from oomlens.plan.units.dropin import Setting, checks_for, dropin_steps, dropin_with, live_steps
from oomlens.plan.units.facts import UnitFacts

_OWN_LIMITS = "-oomlens.conf"
_ROOM_FACTOR = 1.5
_LEAST_TASKS = 64


def propose(wish: TasksWish, facts: TasksFacts) -> tuple[Proposal, ...]:
    """A plan for the limit and one for the workers, as far as there is something to go by."""
    if wish.user is not None:
        return (_user(wish, facts),)
    found: list[Proposal] = []
    if wish.only != "workers" and facts.unit is not None and facts.unit.known:
        found.append(_limit(wish, facts, facts.unit))
    elif wish.only != "workers" and facts.container is not None:
        found.append(_container(wish, facts.container))
    if wish.only != "max" and (facts.pool is not None or wish.workers is not None):
        found.append(workers(wish, facts))
    if not found:
        text = message("Nothing that runs, and no unit, is called {target}, or it has no pool of workers.")
        hint = message("Give a unit, a container or a process name; for a login user: --user NAME")
        found.append(refused(wish, "no-target", text, hint))
    return tuple(found)


def _limit(wish: TasksWish, facts: TasksFacts, unit: UnitFacts) -> Proposal:
    wanted = wish.max_tasks
    arithmetic: tuple[Evidence, ...] = ()
    if wanted is None:
        if facts.tasks_now is None or facts.tasks_now == 0:
            text = message("{target} does not run, so how many tasks it needs is not known.")
            return refused(wish, "not-running", text, message("Give the number: --max 200"))
        wanted = max(_LEAST_TASKS, -(-int(facts.tasks_now * _ROOM_FACTOR) // 16) * 16)
        told = f"max({_LEAST_TASKS}, {_ROOM_FACTOR} * {facts.tasks_now} now, in steps of 16) = {wanted}"
        arithmetic = (Evidence("tasks_max", wanted, "count", told),)
    if facts.tasks_now is not None and wanted < facts.tasks_now:
        text = message("{target} has {now} tasks now, more than {wanted}: it could start no other, and may fail.")
        values: dict[str, Value] = {"target": wish.target, "now": facts.tasks_now, "wanted": wanted}
        return Refusal(
            "below-use", KIND, wish.target, Text(text, values), Text(message("Give more, or end some first."))
        )
    settings = [Setting("TasksMax", str(wanted), str(wanted))]
    dropin = None if unit.transient else dropin_with(unit, settings)
    steps = live_steps(unit, settings)
    if dropin is not None:
        steps += dropin_steps(unit, dropin, at_once=True)
    return make_plan(
        Plan(
            kind=KIND,
            remedy="limit-tasks",
            target=unit.name,
            title=Text(
                message("at most {count} tasks in {target}: a fork bomb meets that instead of the memory"),
                {"count": wanted, "target": unit.name},
            ),
            steps=tuple(steps),
            argv=(KIND, wish.target, "--max", str(wanted), "--only", "max"),
            arithmetic=arithmetic,
            preconditions=checks_for(unit, dropin),
            watch=Watch(cgroups=(unit.usage.path,) if unit.usage is not None else (), units=(unit.name,)),
        )
    )  # fmt: skip


def _container(wish: TasksWish, container: str) -> Refusal:
    text = message("{target} is a container: its engine has the limit.")
    command = f"oomlens plan limit container {shlex.quote(container)} --pids {wish.max_tasks or 200}"
    return Refusal("container", KIND, wish.target, Text(text, {"target": wish.target}), None, (command,))


def _user(wish: TasksWish, facts: TasksFacts) -> Proposal:
    """ulimit -u for the sessions of a user (limits.conf(5)); of several lines for a user the last one counts."""
    name, wanted = str(wish.user), wish.max_tasks
    if wanted is None or not name or any(each.isspace() or each == "#" for each in name):
        text = message("A limit for a user needs the user's name and --max.")
        return Refusal(
            "user", KIND, wish.target, Text(text), Text(message("oomlens plan tasks --user build --max 500"))
        )
    names = [file.path.rpartition("/")[2] for file in facts.limits_files if not file.path.endswith(_OWN_LIMITS)]
    own = f"60{_OWN_LIMITS}" if all(each < "60" for each in names) else f"zz{_OWN_LIMITS}"
    path = f"/etc/security/limits.d/{own}"
    old = next((file for file in facts.limits_files if file.path == path), None)
    lines = [] if old is None else old.content.decode("utf-8", "surrogateescape").splitlines()
    kept = [line for line in lines if line.split()[:3] not in ([name, "hard", "nproc"], [name, "soft", "nproc"])]
    content = "".join(f"{line}\n" for line in [*kept, f"{name} soft nproc {wanted}", f"{name} hard nproc {wanted}"])
    values: dict[str, Value] = {"user": name, "count": wanted}
    title = Text(message("{user}: at most {count} processes in new sessions"), values)
    warnings = (
        Text(message("Services do not read limits.d; a login session does at its start. Nobody limits root so.")),
        Text(message("For everything that users run, a slice counts better: oomlens plan tasks user-.slice --max {count}"), values),
    )  # fmt: skip
    return make_plan(
        Plan(
            KIND,
            "limit-tasks",
            name,
            title,
            (edit_file(path, old, content.encode("utf-8", "surrogateescape"), title, effect=Effect.RESTART),),
            argv=(KIND, "--user", name, "--max", str(wanted)),
            warnings=warnings,
        )
    )
