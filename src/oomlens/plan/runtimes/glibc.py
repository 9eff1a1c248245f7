"""glibc's malloc: threads get heaps of their own (arenas), up to eight for each CPU of the host, and each keeps what was freed."""

from __future__ import annotations

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text, Value
from oomlens.plan.runtimes.row import KIND, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.place import Setting, refused

_PER_CPU = 8  # malloc/arena.c, 64 bits
_WANTED = 2
_VARIABLE = "MALLOC_ARENA_MAX"

_OTHER = message("{target} uses {allocator} and not glibc's malloc.")
_NO_GAIN = message("{target} has {threads} threads and {arenas} arenas: fewer arenas would save nothing.")
_TITLE = message("{target}: two arenas of malloc instead of up to {most} (MALLOC_ARENA_MAX=2)")
_WHY = message(
    "{threads} threads have {arenas} arenas beside the first; each keeps freed memory for itself, and the host's CPUs allow {most}"
)
_UNKNOWN_GAIN = message(
    "how much it saves is not known beforehand: little with few CPUs, much on large hosts; threads may wait for each other a"
    " little more"
)


def choose(_wish: RuntimeWish, facts: RuntimeFacts, _limit: int) -> Change | Refusal:
    """MALLOC_ARENA_MAX=2 for a program of many threads."""
    if facts.allocator not in (None, "glibc"):
        allocator = facts.allocator or ""
        return refused(KIND, facts.target, "other-allocator", _OTHER, None, target=facts.target, allocator=allocator)
    given = facts.environment.get(_VARIABLE, "")
    set_already = given.isdecimal() and 0 < int(given) <= _WANTED
    one_thread = facts.threads is not None and facts.threads <= _WANTED
    few_arenas = facts.arenas is not None and facts.arenas < _WANTED
    if set_already or one_thread or few_arenas:
        counts = {"threads": facts.threads or 0, "arenas": facts.arenas or 0}
        return refused(KIND, facts.target, "no-gain", _NO_GAIN, None, target=facts.target, **counts)
    most = None if facts.cpus is None else facts.cpus * _PER_CPU
    values: dict[str, Value] = {"target": facts.target, "threads": facts.threads, "arenas": facts.arenas, "most": most}
    told = None if facts.cpus is None else f"{_PER_CPU} * {facts.cpus} CPUs"
    return Change(
        Text(_TITLE, values),
        Setting(f"{_VARIABLE}={_WANTED}", _VARIABLE, lambda _old: str(_WANTED)),
        why=(Text(_WHY, values),),
        arithmetic=(
            Evidence("arenas", facts.arenas, "count", "/proc/PID/maps"),
            Evidence("arenas allowed", most, "count", told),
        ),
        warnings=(Text(_UNKNOWN_GAIN),),
    )


ROW = Row("glibc", "limit-malloc-arenas", choose)
