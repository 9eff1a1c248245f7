"""tasks: too many processes. A limit on their number, and as many workers as the memory holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, FileFact, Plan, Proposal, Refusal, Step, Text, Value, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.assemble import make_plan
from oomlens.plan.settings_text import find, put
from oomlens.plan.tasks.pools import Pool
from oomlens.plan.units.dropin import Setting, checks_for, dropin_steps, dropin_with, live_steps
from oomlens.plan.units.facts import UnitFacts

KIND = "tasks"
# Of the memory that the pool may have; the rest is for the page cache and a bad day.
_SHARE = 0.85
_ROOM_FACTOR = 1.5
_LEAST_TASKS = 64


@dataclass(frozen=True, slots=True)
class TasksWish:
    """max_tasks: of the unit or user; workers: of its pool; None: from what is measured. only: "max", "workers" or None for both."""

    target: str
    max_tasks: int | None = None
    workers: int | None = None
    user: str | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class TasksFacts:
    """unit: where the target has one. tasks_now: threads of all its processes. container: where it is one.

    pool: what its workers are; pool_file: where their number stands; worker_bytes: what each worker holds (PSS, else RSS without
    shared memory), measured: "pss" or "rss". base_bytes: all else in the same place. place_bytes: what they may have together.
    limits_file: our file of pam_limits, where it is there already.
    """

    unit: UnitFacts | None = None
    container: str | None = None
    tasks_now: int | None = None
    pool: Pool | None = None
    pool_file: FileFact | None = None
    worker_bytes: tuple[int, ...] = ()
    measured: str = "rss"
    base_bytes: int = 0
    place_bytes: int | None = None
    limits_file: FileFact | None = None


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
        found.append(_workers(wish, facts))
    if not found:
        text = message("Nothing that runs, and no unit, is called {target}, or it has no pool of workers.")
        hint = message("Give a unit, a container or a process name; for a login user: --user NAME")
        found.append(_refused(wish, "no-target", text, hint))
    return tuple(found)


def _refused(wish: TasksWish, code: str, text: str, hint: str) -> Refusal:
    return Refusal(code, KIND, wish.target, Text(text, {"target": wish.target}), Text(hint))


def _limit(wish: TasksWish, facts: TasksFacts, unit: UnitFacts) -> Proposal:
    wanted = wish.max_tasks
    arithmetic: tuple[Evidence, ...] = ()
    if wanted is None:
        if facts.tasks_now is None or facts.tasks_now == 0:
            text = message("{target} does not run, so how many tasks it needs is not known.")
            return _refused(wish, "not-running", text, message("Give the number: --max 200"))
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


def _workers(wish: TasksWish, facts: TasksFacts) -> Proposal:
    sized = _count(wish, facts)
    if isinstance(sized, Refusal):
        return sized
    count, arithmetic = sized
    pool = facts.pool
    values: dict[str, Value] = {
        "count": count,
        "target": wish.target,
        "program": pool.name if pool is not None else wish.target,
    }
    step = _worker_step(count, facts, values, wish)
    return make_plan(
        Plan(
            kind=KIND,
            remedy="fewer-workers",
            target=wish.target,
            title=Text(message("{count} workers of {program}: as many as the memory holds"), values),
            steps=(step,),
            argv=(KIND, wish.target, "--workers", str(count), "--only", "workers"),
            arithmetic=arithmetic,
            warnings=tuple(_worker_warnings(facts)),
            watch=Watch(comms=pool.comms if pool is not None else ()),
        )
    )


def _count(wish: TasksWish, facts: TasksFacts) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    if wish.workers is not None:
        return wish.workers, ()
    if not facts.worker_bytes or facts.place_bytes is None:
        text = message("No worker of {target} runs, so how many fit is not known.")
        return _refused(wish, "not-running", text, message("Give the number: --workers 8"))
    each = percentile(facts.worker_bytes, 0.95)
    room = int(_SHARE * facts.place_bytes) - facts.base_bytes
    count = max(1, room // max(each, 1))
    told = f"({_SHARE} * {facts.place_bytes} - others {facts.base_bytes}) / {each} = {room // max(each, 1)}"
    return count, (
        Evidence("worker_bytes", each, "bytes", f"95th percentile of {len(facts.worker_bytes)} workers ({facts.measured})"),
        Evidence("workers", count, "count", told),
    )  # fmt: skip


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]


def _worker_step(count: int, facts: TasksFacts, values: dict[str, Value], wish: TasksWish) -> Step:
    pool = facts.pool
    if pool is not None and facts.pool_file is not None:
        text = facts.pool_file.content.decode("utf-8", "surrogateescape")
        found = find(text, pool.key, pool.form, _sections(text, pool))
        section = found.section if found is not None else next(iter(sorted(_sections(text, pool))), "")
        changed = put(text, pool.key, str(count), pool.form, section, _sections(text, pool))
        for key, value in pool.recycle:
            if find(changed, key, pool.form, _sections(text, pool)) is None:
                changed = put(changed, key, value, pool.form, section, _sections(text, pool))
        title = Text(message("{path}: {key} {count}"), {"path": facts.pool_file.path, "key": pool.key, "count": count})
        content = changed.encode("utf-8", "surrogateescape")
        try:
            return edit_file(facts.pool_file.path, facts.pool_file, content, title, effect=Effect.RESTART)
        except NotTextError:
            pass  # a person has to change that line
    template = pool.by_hand if pool is not None else "{count}"
    return by_hand(
        [f"# {template.format(count=count)}"],
        Text(message("where {program} is started: {count} workers"), values),
        target=wish.target,
        effect=Effect.RESTART,
    )


def _sections(text: str, pool: Pool) -> frozenset[str]:
    """php-fpm has a section for each pool; a file with several is changed in the first."""
    if not pool.form.sections:
        return frozenset({""})
    names = [
        line.strip()[1:-1] for line in text.split("\n") if line.strip().startswith("[") and line.strip().endswith("]")
    ]
    return frozenset(names[:1])


def _worker_warnings(facts: TasksFacts) -> Iterator[Text]:
    if facts.pool is not None and facts.pool_file is None:
        yield Text(message("The file that says how many workers there are was not found; it is changed by hand."))
    if facts.measured == "rss" and facts.worker_bytes:
        yield Text(
            message("Only RSS could be read: pages that workers share may count in each, so a few more may fit.")
        )


def _user(wish: TasksWish, facts: TasksFacts) -> Proposal:
    """ulimit -u for the sessions of a user (limits.conf(5))."""
    path = "/etc/security/limits.d/60-oomlens.conf"
    name, wanted = str(wish.user), wish.max_tasks
    if wanted is None or any(each.isspace() or each == "#" for each in name) or not name:
        text = message("A limit for a user needs the user's name and --max.")
        return Refusal(
            "user", KIND, wish.target, Text(text), Text(message("oomlens plan tasks --user build --max 500"))
        )
    old = facts.limits_file
    lines = [] if old is None else old.content.decode("utf-8", "surrogateescape").splitlines()
    kept = [line for line in lines if line.split()[:3] not in ([name, "hard", "nproc"], [name, "soft", "nproc"])]
    content = "".join(f"{line}\n" for line in [*kept, f"{name} soft nproc {wanted}", f"{name} hard nproc {wanted}"])
    values: dict[str, Value] = {"user": name, "count": wanted}
    title = Text(message("{user}: at most {count} processes in new sessions"), values)
    step = edit_file(path, old, content.encode("utf-8", "surrogateescape"), title, effect=Effect.RESTART)
    warning = Text(message("Services do not read limits.d; a login session does at its start."))
    return make_plan(
        Plan(
            KIND,
            "limit-tasks",
            name,
            title,
            (step,),
            argv=(KIND, "--user", name, "--max", str(wanted)),
            warnings=(warning,),
        )
    )
