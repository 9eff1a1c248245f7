"""As many workers as the memory holds: how many that is, and the line that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, Plan, Proposal, Refusal, Safety, Step, Text, Value, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.assemble import make_plan
from oomlens.plan.tasks.facts import KIND, TasksFacts, TasksWish
from oomlens.plan.tasks.pool_file import per_process, set_now, with_count

# Of the memory that the pool may have; the rest is for the page cache and a bad day.
_SHARE = 0.85


def refused(wish: TasksWish, code: str, text: str, hint: str, **values: Value) -> Refusal:
    """In few words."""
    return Refusal(code, KIND, wish.target, Text(text, {"target": wish.target, **values}), Text(hint))


def workers(wish: TasksWish, facts: TasksFacts) -> Proposal:
    """The plan, or why there is none."""
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
    step = _step(count, facts, values, wish)
    return make_plan(
        Plan(
            kind=KIND,
            remedy="fewer-workers",
            target=wish.target,
            title=Text(message("{count} workers of {program}: as many as the memory holds"), values),
            steps=(step, *_restart(step, facts)),
            argv=(KIND, wish.target, "--workers", str(count), "--only", "workers"),
            arithmetic=arithmetic,
            warnings=tuple(_warnings(facts)),
            watch=Watch(comms=pool.comms if pool is not None else ()),
        )
    )


def _count(wish: TasksWish, facts: TasksFacts) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    if wish.workers is not None:
        return wish.workers, ()
    if not facts.worker_bytes or facts.place_bytes is None:
        text = message("No worker of {target} runs, so how many fit is not known.")
        return refused(wish, "not-running", text, message("Give the number: --workers 8"))
    each = percentile(facts.worker_bytes, 0.95)
    room = int(_SHARE * facts.place_bytes) - facts.base_bytes
    fitting = max(1, room // max(each, 1))
    threads = per_process(facts.pool, facts.pool_file)
    told = f"({_SHARE} * {facts.place_bytes} - others {facts.base_bytes}) / {each} = {room // max(each, 1)}"
    if threads > 1:
        told += f"; * {threads} threads in each"
    now = set_now(facts.pool, facts.pool_file) or len(facts.worker_bytes) * threads
    if fitting * threads >= now:
        text = message("{fitting} workers of {target} fit into the memory, and it has {now}: fewer would not help.")
        hint = message(
            "If it shall have fewer all the same: --workers N; a worker that grows is looked for with: oomlens status"
        )
        return refused(wish, "fits", text, hint, fitting=fitting * threads, now=now)
    return fitting * threads, (
        Evidence("worker_bytes", each, "bytes", f"95th percentile of {len(facts.worker_bytes)} workers ({facts.measured})"),
        Evidence("workers", fitting * threads, "count", told),
    )  # fmt: skip


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]


def _step(count: int, facts: TasksFacts, values: dict[str, Value], wish: TasksWish) -> Step:
    pool, file = facts.pool, facts.pool_file
    content = with_count(pool, file, count) if pool is not None and file is not None else None
    if pool is not None and file is not None and content is not None:
        title = Text(message("{path}: {key} {count}"), {"path": file.path, "key": pool.key, "count": count})
        try:
            return edit_file(file.path, file, content, title, effect=Effect.RESTART)
        except NotTextError:
            pass  # a person has to change that line
    template = pool.by_hand if pool is not None else "{count}"
    return by_hand(
        [f"# {template.format(count=count)}"],
        Text(message("where {program} is started: {count} workers"), values),
        target=wish.target,
        effect=Effect.RESTART,
    )


def _restart(step: Step, facts: TasksFacts) -> Iterator[Step]:
    """Workers are started anew by a restart, which has to be allowed."""
    if facts.service is not None and step.safety is not Safety.MANUAL:
        restart = ["systemctl", "restart", facts.service]
        title = Text(message("restart {unit}"), {"unit": facts.service})
        yield run_program(restart, title, target=facts.service, undo_argv=restart, safety=Safety.DISRUPTIVE)


def _warnings(facts: TasksFacts) -> Iterator[Text]:
    if facts.pool is not None and facts.pool_file is None:
        yield Text(message("The file that says how many workers there are was not found; it is changed by hand."))
    if facts.measured == "rss" and facts.worker_bytes:
        yield Text(
            message("Only RSS could be read: pages that workers share may count in each, so a few more may fit.")
        )
