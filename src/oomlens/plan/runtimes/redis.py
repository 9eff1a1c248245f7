"""Redis, Valkey: maxmemory below half of the limit where snapshots are written, since their pages are copied meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, FileFact, Lasts, Refusal, Safety, Step, Text, Value
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.runtimes.row import KIND, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.settings_text import REDIS, find, put
from oomlens.plan.start.place import refused
from oomlens.runtimes.redis import BASE_BYTES, limit_for, maxmemory_for, size_of

_DEFAULT_SAVE = "3600 1 300 100 60 10000"

_FITS = message("{target} fits already: maxmemory is {now_bytes} in {limit_bytes}.")
_NO_CONFIG = message("The configuration of {target} was not found, and it does not answer redis-cli.")
_NAME_IT = message("Name it: --in FILE")
_TITLE = message("Redis {target}: maxmemory {wanted_bytes} within {limit_bytes}")
_UNCOUNTED = message("maxmemory does not count what a snapshot copies, buffers of clients and fragmentation")
_UNBOUNDED = message("maxmemory is not set: the data grows until the kernel kills the server")
_COPIED = message("the last snapshot copied {cow_bytes}; with more writes it may be all of the data")
_NOT_SET = message("not set")
_REFUSES_AT_ONCE = message(
    "it holds {used_bytes} already, more than that: every write would be refused (noeviction); raise the limit, or choose a policy"
    " that evicts"
)
_EVICTS_AT_ONCE = message("it holds {used_bytes} already, more than that: keys are evicted at once ({policy})")
_REFUSES = message("at maxmemory writes are refused (noeviction), which clients see as errors")
_OVERCOMMIT = message(
    "vm.overcommit_memory=1 lets the fork of a snapshot succeed, but holds for the whole host:"
    " oomlens plan sysctl vm.overcommit_memory=1"
)
_STEP = message("{path}: {setting}")
_LIVE = message("in the running server too")


def value_of(facts: RuntimeFacts, name: str) -> str | None:
    """As the server says (CONFIG GET), else as its file has it."""
    told = facts.figures.get(f"config:{name}")
    if told is not None:
        return told
    for fact in reversed(facts.files):
        found = find(_text(fact), name, REDIS)
        if found is not None:
            return found.value
    return None


def snapshots(facts: RuntimeFacts) -> bool:
    """Whether a fork copies its pages at times: snapshots, or an append-only log that is rewritten."""
    save = value_of(facts, "save")
    return (_DEFAULT_SAVE if save is None else save) != "" or value_of(facts, "appendonly") == "yes"


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """maxmemory, in the file and in the running server."""
    told = value_of(facts, "maxmemory")
    now = size_of(told) if told else 0
    forks = snapshots(facts)
    used, base = _number(facts, "used_memory"), _base(facts)
    wanted = wish.size_bytes or maxmemory_for(limit, snapshots=forks, base_bytes=base)
    if now and now <= wanted and wish.size_bytes is None:
        sizes = {"now_bytes": now, "limit_bytes": limit}
        return refused(KIND, facts.target, "fits-already", _FITS, None, target=facts.target, **sizes)
    steps = tuple(_steps(facts, wanted, used))
    if not steps:
        return refused(KIND, facts.target, "no-config", _NO_CONFIG, Text(_NAME_IT), target=facts.target)
    values: dict[str, Value] = {
        "target": facts.target, "wanted_bytes": wanted, "limit_bytes": limit, "used_bytes": used,
        "policy": value_of(facts, "maxmemory-policy") or "noeviction", "cow_bytes": _number(facts, "rdb_last_cow_size"),
    }  # fmt: skip
    by_rule = f"({limit} - {base}) * {0.5 if forks else 0.8}"
    return Change(
        Text(_TITLE, values),
        steps=steps,
        why=tuple(_why(values, now, forks=forks)),
        arithmetic=(
            Evidence("maxmemory now", now or None, "bytes", None if now else _NOT_SET),
            Evidence("data now", used, "bytes", "used_memory"),
            Evidence("base", base, "bytes", "used_memory_rss - used_memory" if base > BASE_BYTES else None),
            Evidence("maxmemory", wanted, "bytes", by_rule if wish.size_bytes is None else "--size"),
        ),
        warnings=tuple(_warnings(values, used, wanted, forks=forks)),
        needed_bytes=limit_for(max(used or 0, now or 0), snapshots=forks, base_bytes=base) if used or now else None,
    )


def _why(values: dict[str, Value], now: int | None, *, forks: bool) -> Iterator[Text]:
    yield Text(_UNCOUNTED)
    if not now:
        yield Text(_UNBOUNDED)
    if forks and values["cow_bytes"]:
        yield Text(_COPIED, values)


def _warnings(values: dict[str, Value], used: int | None, wanted: int, *, forks: bool) -> Iterator[Text]:
    refuses = values["policy"] == "noeviction"
    if used is not None and used > wanted:
        yield Text(_REFUSES_AT_ONCE if refuses else _EVICTS_AT_ONCE, values)
    elif refuses:
        yield Text(_REFUSES)
    if forks:
        yield Text(_OVERCOMMIT)


def _steps(facts: RuntimeFacts, wanted: int, used: int | None) -> Iterator[Step]:
    if facts.files:
        holder = next((fact for fact in reversed(facts.files) if find(_text(fact), "maxmemory", REDIS)), facts.files[0])
        content = put(_text(holder), "maxmemory", str(wanted), REDIS).encode("utf-8", "surrogateescape")
        title = Text(_STEP, {"path": holder.path, "setting": f"maxmemory {wanted}"})
        yield edit_file(holder.path, holder, content, title, effect=Effect.RESTART)
    client = facts.figures.get("client")
    before = facts.figures.get("config:maxmemory")
    if client and before is not None:
        cli = client.split("\n")
        yield run_program(
            [*cli, "CONFIG", "SET", "maxmemory", str(wanted)],
            Text(_LIVE),
            target=facts.target,
            undo_argv=[*cli, "CONFIG", "SET", "maxmemory", before],
            probe_argv=[*cli, "CONFIG", "GET", "maxmemory"],
            before=f"maxmemory\n{before}",
            after=f"maxmemory\n{wanted}",
            safety=Safety.SAFE if used is not None and used <= wanted else Safety.DISRUPTIVE,
            lasts=Lasts.RESTART,
        )


def _base(facts: RuntimeFacts) -> int:
    """What the server holds beside its data: as measured, where that is more than usual."""
    held, used = _number(facts, "used_memory_rss"), _number(facts, "used_memory")
    return max(BASE_BYTES, held - used) if held is not None and used is not None else BASE_BYTES


def _number(facts: RuntimeFacts, name: str) -> int | None:
    value = facts.figures.get(name, "")
    return int(value) if value.isdecimal() else None


def _text(fact: FileFact) -> str:
    return fact.content.decode("utf-8", "surrogateescape")


ROW = Row("redis", "limit-redis-memory", choose)
