"""PostgreSQL: shared buffers, memory of queries and connections within the limit; its worst case decides, not the average."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, FileFact, Refusal, Step, Text, Value
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.runtimes.row import KIND, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.settings_text import POSTGRESQL, find, put
from oomlens.plan.start.place import refused
from oomlens.runtimes.postgresql import (
    DEFAULTS,
    Settings,
    fitted,
    given_on_command_line,
    size_of,
    spelled,
    worst_case,
)

_AUTO = "/postgresql.auto.conf"  # written by ALTER SYSTEM, read last

_NO_CONFIG = message("The configuration of {target} was not found.")
_NAME_IT = message("Name it: --in FILE")
_TOO_SMALL = message(
    "{limit_bytes} are too few for PostgreSQL with {shared_bytes} of shared buffers and ten connections."
)
_FITS = message("{target} fits already: at worst it takes {needed_bytes} of {limit_bytes}.")
_TITLE = message("PostgreSQL {target}: at worst {new_bytes} instead of {needed_bytes}, within {limit_bytes}")
_EACH = message(
    "work_mem is for each sort or hash, not for the server: {connections} connections may each take {work_bytes} x {multiplier},"
    " and several of them"
)
_POOLER = message(
    "{new_connections} connections need a pooler in front, such as PgBouncer; clients beyond them are refused"
)
_IN_USE = message("{peers} of its processes run now: more than {new_connections} connections may be in use")
_OVERCOMMIT = message(
    "a killed backend makes the server end all sessions: with vm.overcommit_memory=2 (oomlens plan sysctl) a query fails instead;"
    " oomlens plan protect spares the first process"
)
_BY_HAND = message("set {name} to {value}, where {where} gives it")
_STEP = message("{path}: {setting}")


def value_of(facts: RuntimeFacts, name: str) -> tuple[str, str | None]:
    """A setting's value, and the file that gives it: "" for the command line, None for the default."""
    told = given_on_command_line(facts.argv)
    if name in told:
        return told[name], ""
    for fact in reversed(facts.files):
        found = find(_text(fact), name, POSTGRESQL)
        if found is not None:
            return found.value, fact.path
    return DEFAULTS[name], None


def settings_of(facts: RuntimeFacts) -> Settings:
    """What the files say; a value that is no size is the default."""

    def size(name: str) -> int:
        return size_of(name, value_of(facts, name)[0]) or size_of(name, DEFAULTS[name]) or 0

    def number(name: str) -> float:
        try:
            return float(value_of(facts, name)[0])
        except ValueError:
            return float(DEFAULTS[name])

    return Settings(
        size("shared_buffers"), size("work_mem"), size("maintenance_work_mem"), number("hash_mem_multiplier"),
        int(number("max_connections")), int(number("max_parallel_workers")),
    )  # fmt: skip


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """Changes of postgresql.conf."""
    if not facts.files:
        return refused(KIND, facts.target, "no-config", _NO_CONFIG, Text(_NAME_IT), target=facts.target)
    found = settings_of(facts)
    now = found if wish.size_bytes is None else found._replace(shared_bytes=wish.size_bytes)
    wanted = fitted(now, limit)
    if wanted is None:
        told = {"limit_bytes": limit, "shared_bytes": now.shared_bytes}
        return refused(KIND, facts.target, "limit-too-small", _TOO_SMALL, None, **told)
    steps = tuple(_steps(facts, _changes(found, wanted)))
    values: dict[str, Value] = {
        "target": facts.target, "limit_bytes": limit, "needed_bytes": worst_case(found), "new_bytes": worst_case(wanted),
        "connections": found.connections, "new_connections": wanted.connections, "work_bytes": found.work_bytes,
        "multiplier": found.hash_multiplier, "peers": facts.peers,
    }  # fmt: skip
    if not steps:
        told = {"needed_bytes": worst_case(found), "limit_bytes": limit}
        return refused(KIND, facts.target, "fits-already", _FITS, None, target=facts.target, **told)
    return Change(
        Text(_TITLE, values),
        steps=steps,
        why=(Text(_EACH, values),),
        arithmetic=tuple(_arithmetic(found, wanted)),
        warnings=tuple(_warnings(facts, found, wanted, values)),
        needed_bytes=worst_case(found),
    )


def _changes(now: Settings, wanted: Settings) -> dict[str, str]:
    found = {}
    if wanted.shared_bytes != now.shared_bytes:
        found["shared_buffers"] = spelled(wanted.shared_bytes)
    if wanted.work_bytes != now.work_bytes:
        found["work_mem"] = spelled(wanted.work_bytes)
    if wanted.connections != now.connections:
        found["max_connections"] = str(wanted.connections)
    return found


def _steps(facts: RuntimeFacts, changes: dict[str, str]) -> Iterator[Step]:
    """In the file that gives each now; what ALTER SYSTEM or the command line gives is a person's."""
    texts = {fact.path: _text(fact) for fact in facts.files}
    for name, value in changes.items():
        path = value_of(facts, name)[1]
        path = facts.files[0].path if path is None else path
        if path and not path.endswith(_AUTO):
            texts[path] = put(texts[path], name, value, POSTGRESQL)
            continue
        title = Text(_BY_HAND, {"name": name, "value": value, "where": path or "the command line"})
        sql = f"ALTER SYSTEM SET {name} = '{value}'"
        commands = (
            [f"sudo -u postgres psql -c {shlex.quote(sql)}"] if path else [f"# in its command line: -c {name}={value}"]
        )
        undo = [f"sudo -u postgres psql -c {shlex.quote(f'ALTER SYSTEM RESET {name}')}"] if path else []
        yield by_hand(commands, title, target=facts.target, undo=undo, effect=Effect.RESTART)
    for fact in facts.files:
        new = texts[fact.path].encode("utf-8", "surrogateescape")
        if new != fact.content:
            shown = ", ".join(f"{name} = {value}" for name, value in changes.items())
            title = Text(_STEP, {"path": fact.path, "setting": shown})
            yield edit_file(fact.path, fact, new, title, effect=Effect.RESTART)


def _arithmetic(now: Settings, wanted: Settings) -> Iterator[Evidence]:
    for name, each in (("worst case now", now), ("worst case then", wanted)):
        at_work = each.connections + min(each.parallel_workers, each.connections)
        told = (
            f"{each.shared_bytes} + {each.maintenance_bytes} + {each.connections} * {each.backend_bytes}"
            f" + {at_work} * {each.work_bytes} * {each.hash_multiplier}"
        )
        yield Evidence(name, worst_case(each), "bytes", told)


def _warnings(facts: RuntimeFacts, now: Settings, wanted: Settings, values: dict[str, Value]) -> Iterator[Text]:
    if wanted.connections < now.connections:
        yield Text(_POOLER, values)
    if facts.peers - 1 > wanted.connections:
        yield Text(_IN_USE, values)
    yield Text(_OVERCOMMIT)


def _text(fact: FileFact) -> str:
    return fact.content.decode("utf-8", "surrogateescape")


ROW = Row("postgresql", "limit-postgresql-memory", choose)
