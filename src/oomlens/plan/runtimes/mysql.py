"""MySQL and MariaDB: InnoDB's buffer pool set from the limit of the cgroup, not from the memory that the server detects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Effect, FileFact, Refusal, Step, Text, Value
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.runtimes.row import KIND, MIB, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.settings_text import MYSQL, find, put, switched_on
from oomlens.plan.start.place import refused
from oomlens.runtimes.innodb import (
    CONNECTION_BYTES,
    DEFAULT_CONNECTIONS,
    DEFAULT_POOL_BYTES,
    HIGHEST_SHARE,
    OVERHEAD,
    dedicated_pool,
    pool_for,
    rounded_up,
    size_of,
)

_POOL, _DEDICATED = "innodb_buffer_pool_size", "innodb_dedicated_server"
_SECTIONS = frozenset({"mysqld", "server", "mariadb", "mariadbd", "mysqld_safe"})
_OPTION = "--innodb-buffer-pool-size="

_NO_CONFIG = message("The configuration of {target} was not found.")
_NAME_IT = message("Name it: --in FILE")
_ON_COMMAND_LINE = message("The command line sets innodb_buffer_pool_size and wins over the files.")
_CHANGE_THERE = message("Change it there, where the server is started")
_FITS = message("{target} fits already: a buffer pool of {now_bytes} in {limit_bytes}.")
_TITLE = message("MySQL {target}: a buffer pool of {pool_bytes} instead of {now_bytes}, within {limit_bytes}")
_STEP = message("{path}: {setting}")
_DETECTS = message(
    "innodb_dedicated_server takes the pool from the memory that the server detects ({detected_bytes}), not from the limit of {limit_bytes}"
)
_TOGETHER = message("a buffer pool of {now_bytes}, a twentieth on top, and {count} connections in {limit_bytes}")
_CONNECTIONS = message(
    "{count} connections may take {connections_bytes} more: lower max_connections too, or raise the limit"
)
_ROUNDS = message("the server rounds this up to {rounded_bytes}")
_DEFAULT = message("the default")
_SHARE = message("half to six tenths of the limit, in steps that the server does not round up")


class _Now(NamedTuple):
    """The pool as it is, and where it comes from: a file, the server's own rule, or the default."""

    pool_bytes: int
    given: str | None
    file: FileFact | None
    dedicated: bool
    detected_bytes: int
    connections: int


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """innodb_buffer_pool_size in the file that sets it."""
    if not facts.files:
        return refused(KIND, facts.target, "no-config", _NO_CONFIG, Text(_NAME_IT), target=facts.target)
    if any(word.replace("_", "-").startswith(_OPTION) for word in facts.argv):
        return refused(KIND, facts.target, "on-command-line", _ON_COMMAND_LINE, Text(_CHANGE_THERE))
    now = _now(facts, limit)
    pool = wish.size_bytes or pool_for(limit)
    values: dict[str, Value] = {
        "target": facts.target, "pool_bytes": pool, "now_bytes": now.pool_bytes, "limit_bytes": limit, "count": now.connections,
        "connections_bytes": now.connections * CONNECTION_BYTES, "detected_bytes": now.detected_bytes, "rounded_bytes": rounded_up(pool),
        "value": f"{pool // MIB}M", "path": (now.file or facts.files[0]).path,
    }  # fmt: skip
    small = now.pool_bytes * (1 + OVERHEAD) <= limit * HIGHEST_SHARE
    if wish.size_bytes is None and small and (now.given or not now.dedicated):
        told = {"now_bytes": now.pool_bytes, "limit_bytes": limit}
        return refused(KIND, facts.target, "fits-already", _FITS, None, target=facts.target, **told)
    detects = now.dedicated and not now.given
    return Change(
        Text(_TITLE, values),
        steps=(_edit(facts, now, values),),
        why=(*((Text(_DETECTS, values),) if detects else ()), Text(_TOGETHER, values)),
        arithmetic=tuple(_arithmetic(wish, now, pool)),
        warnings=tuple(_warnings(now, pool, limit, values)),
        needed_bytes=int(now.pool_bytes * (1 + OVERHEAD) / HIGHEST_SHARE),
    )  # fmt: skip


def _now(facts: RuntimeFacts, limit: int) -> _Now:
    given, file = _value(facts, _POOL)
    dedicated = any(switched_on(_text(fact), _DEDICATED, MYSQL, _SECTIONS) for fact in facts.files)
    detected = int(facts.figures.get("machine_bytes", "0")) or limit
    own = dedicated_pool(detected) if dedicated else DEFAULT_POOL_BYTES
    connections, _ = _value(facts, "max_connections")
    count = int(connections) if connections and connections.isdecimal() else DEFAULT_CONNECTIONS
    return _Now(rounded_up((size_of(given) if given else None) or own), given, file, dedicated, detected, count)


def _value(facts: RuntimeFacts, name: str) -> tuple[str | None, FileFact | None]:
    """A setting's value and the last file that gives it."""
    for fact in reversed(facts.files):
        found = find(_text(fact), name, MYSQL, _SECTIONS)
        if found is not None:
            return found.value, fact
    return None, None


def _edit(facts: RuntimeFacts, now: _Now, values: dict[str, Value]) -> Step:
    file = now.file or facts.files[0]
    sections = _SECTIONS if now.file is not None else frozenset[str]()
    content = put(_text(file), _POOL, str(values["value"]), MYSQL, "mysqld", sections)
    return edit_file(
        file.path,
        file,
        content.encode("utf-8", "surrogateescape"),
        Text(_STEP, {"path": file.path, "setting": f"{_POOL} = {values['value']}"}),
        effect=Effect.RESTART,
    )


def _arithmetic(wish: RuntimeWish, now: _Now, pool: int) -> Iterator[Evidence]:
    yield Evidence("pool now", now.pool_bytes, "bytes", now.given or (_DEDICATED if now.dedicated else _DEFAULT))
    yield Evidence("pool", pool, "bytes", _SHARE if wish.size_bytes is None else "--size")
    yield Evidence("with overhead", int(pool * (1 + OVERHEAD)), "bytes", f"{1 + OVERHEAD} * {pool}")
    count = now.connections
    yield Evidence("connections", count * CONNECTION_BYTES, "bytes", f"{count} * {CONNECTION_BYTES}")


def _warnings(now: _Now, pool: int, limit: int, values: dict[str, Value]) -> Iterator[Text]:
    if pool * (1 + OVERHEAD) + now.connections * CONNECTION_BYTES > limit:
        yield Text(_CONNECTIONS, values)
    if rounded_up(pool) != pool:
        yield Text(_ROUNDS, values)


def _text(fact: FileFact) -> str:
    return fact.content.decode("utf-8", "surrogateescape")


ROW = Row("mysql", "limit-innodb-pool", choose)
