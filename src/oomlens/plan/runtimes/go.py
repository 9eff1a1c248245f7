"""Go: the runtime does not look at the limit of its cgroup; GOMEMLIMIT tells it, as a soft limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text, Value
from oomlens.plan.runtimes.row import KIND, MIB, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.place import Setting, refused

_SHARE = 0.9
_SIZE = re.compile(r"(?P<number>[0-9]{1,18})(?P<unit>B|KiB|MiB|GiB|TiB)?")
_SHIFT = {None: 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}

_FITS = message("{target} fits already: GOMEMLIMIT is {given_bytes} in {limit_bytes}.")
_TITLE = message("Go {target}: GOMEMLIMIT={value} in {limit_bytes}")
_UNAWARE = message(
    "Go does not read the memory limit of its cgroup: it collects when the heap has doubled, wherever the limit is"
)
_TOO_HIGH = message("GOMEMLIMIT is {given_bytes}; above nine tenths of the limit of {limit_bytes} it comes too late")
_SOFT = message(
    "it is a soft limit, does not cover memory of cgo and mmap, and does not follow a limit that is changed later"
)
_OFF = message("GOGC is off: then the heap always grows up to GOMEMLIMIT")
_HELD = message(
    "it holds {held_bytes} already: if most of that is alive, collecting takes up to half of its CPU time, and only a higher limit helps"
)


def soft_limit(text: str) -> int | None:
    """A value of GOMEMLIMIT in bytes (package runtime); None for `off` and what is none."""
    found = _SIZE.fullmatch(text)
    return None if found is None else int(found["number"]) << _SHIFT[found["unit"]]


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """GOMEMLIMIT at nine tenths of the limit."""
    given = soft_limit(facts.environment.get("GOMEMLIMIT", ""))
    if given is not None and wish.size_bytes is None and given * facts.peers <= limit * _SHARE:
        return refused(
            KIND, facts.target, "fits-already", _FITS, None, target=facts.target, given_bytes=given, limit_bytes=limit
        )
    wanted = max((wish.size_bytes or int(limit * _SHARE) // facts.peers) // MIB, 1) * MIB
    value = f"{wanted // MIB}MiB"
    values: dict[str, Value] = {
        "target": facts.target, "given_bytes": given, "limit_bytes": limit, "value": value, "held_bytes": facts.held_bytes,
    }  # fmt: skip
    told = f"{_SHARE} * {limit} / {facts.peers}" if wish.size_bytes is None else "--size"
    return Change(
        Text(_TITLE, values),
        Setting(f"GOMEMLIMIT={value}", "GOMEMLIMIT", lambda _old: value),
        why=(Text(_UNAWARE if given is None else _TOO_HIGH, values),),
        arithmetic=(Evidence("GOMEMLIMIT", wanted, "bytes", told),),
        warnings=tuple(_warnings(facts, wanted, values)),
    )


def _warnings(facts: RuntimeFacts, wanted: int, values: dict[str, Value]) -> Iterator[Text]:
    yield Text(_SOFT)
    if facts.environment.get("GOGC") == "off":
        yield Text(_OFF)
    if facts.held_bytes is not None and facts.held_bytes > wanted:
        yield Text(_HELD, values)


ROW = Row("go", "set-go-memlimit", choose)
