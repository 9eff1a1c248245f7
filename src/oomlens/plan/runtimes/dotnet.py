""".NET: in a limited container each process takes three quarters of the limit for its own heap."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text, Value
from oomlens.plan.runtimes.row import KIND, MIB, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.place import Setting, refused

_DEFAULT_PERCENT = 75  # of the limit, at least 20 MB (.NET documentation, garbage collector settings)
_LEAST_BYTES = 20_000_000
_PERCENT = 60
_NAMES = ("DOTNET_GCHeapHardLimitPercent", "COMPlus_GCHeapHardLimitPercent")
_SIZES = ("DOTNET_GCHeapHardLimit", "COMPlus_GCHeapHardLimit")

_FITS = message("{target} fits already: a heap of {heap_bytes} in {limit_bytes}.")
_TITLE = message(".NET {target}: a heap of {percent} percent of {limit_bytes} ({value} in hexadecimal)")
_GROWS = message("its heap may grow to {heap_bytes} of {limit_bytes}; native memory, stacks and code come on top")
_SHARED = message("{peers} .NET processes share the limit, and each takes it for its own")
_UNPROVEN = message("not run here, but as the manual of .NET says; before .NET 5 the variable begins with COMPlus_")


def hexadecimal(text: str) -> int | None:
    """A number as these variables hold it: hexadecimal, with or without `0x`."""
    try:
        return int(text, 16) if 0 < len(text) <= 18 else None
    except ValueError:
        return None


def heap_now(facts: RuntimeFacts, limit: int) -> int:
    """What the heap of one process may grow to, in bytes."""
    size = next((size for name in _SIZES if (size := hexadecimal(facts.environment.get(name, "")))), None)
    if size:
        return size
    percent = next((each for name in _NAMES if (each := hexadecimal(facts.environment.get(name, "")))), None)
    if percent:
        return limit * percent // 100
    return limit if facts.limit_of == "host" else max(limit * _DEFAULT_PERCENT // 100, _LEAST_BYTES)


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """A smaller part for each process; the variable is hexadecimal."""
    now = heap_now(facts, limit)
    given = any(name in facts.environment for name in (*_NAMES, *_SIZES))
    if given and wish.size_bytes is None and now * facts.peers <= limit * _DEFAULT_PERCENT // 100:
        return refused(
            KIND, facts.target, "fits-already", _FITS, None, target=facts.target, heap_bytes=now, limit_bytes=limit
        )
    asked = _PERCENT // facts.peers if wish.size_bytes is None else wish.size_bytes * 100 // limit
    percent = max(min(asked, 100), 1)
    value = f"{percent:X}"
    values: dict[str, Value] = {
        "target": facts.target, "percent": percent, "value": value, "heap_bytes": now, "limit_bytes": limit, "peers": facts.peers,
    }  # fmt: skip
    return Change(
        Text(_TITLE, values),
        Setting(f"{_NAMES[0]}={value}", _NAMES[0], lambda _old: value),
        why=(Text(_GROWS, values), *((Text(_SHARED, values),) if facts.peers > 1 else ())),
        arithmetic=tuple(_arithmetic(wish, facts, limit, now, percent)),
        warnings=(Text(_UNPROVEN),),
        needed_bytes=now * facts.peers * 100 // _DEFAULT_PERCENT,
    )


def _arithmetic(wish: RuntimeWish, facts: RuntimeFacts, limit: int, now: int, percent: int) -> Iterator[Evidence]:
    told = f"{_PERCENT} / {facts.peers}" if wish.size_bytes is None else f"100 * {wish.size_bytes} / {limit}"
    yield Evidence("heap now", now, "bytes")
    yield Evidence("percent", percent, "percent", told)
    yield Evidence("heap", limit * percent // 100 // MIB * MIB, "bytes", f"{percent} / 100 * {limit}")


ROW = Row("dotnet", "set-dotnet-heap", choose)
