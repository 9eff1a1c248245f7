"""What a plan for a JVM tells: why, the arithmetic, and what to know before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text, Value
from oomlens.plan.jvm.choose import Choice
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.jvm.notes import notes
from oomlens.plan.start.more_memory import raise_command, rounded

_YOUNG_SECONDS = 600  # before that, classes and code are still being loaded

_THIS_WAY = message("this way: the heap goes from {heap_bytes} to {new_bytes}, the limit stays")
_OTHER_WAY = message(
    "the other way costs {more_bytes} of RAM: with a heap of {heap_bytes} it needs {needed_bytes}, and has {limit_bytes}"
)
_RAISE = message("raise its limit to {wanted_bytes}")
_RAISE_BY = message("raise its limit to {wanted_bytes}: {command}")
_HELD = message(
    "its heap held {used_bytes} when it was looked at, garbage included: if more than {heap_bytes} of that is alive, it ends with"
    " an OutOfMemoryError, and only a higher limit or less data helps"
)
_NOT_MEASURED = message(
    "nothing was measured: the sizes beside the heap are assumptions, and a program with many classes may need a larger"
    " -XX:MaxMetaspaceSize; plan again while it runs"
)
_YOUNG = message("measured {uptime_seconds} after its start: classes and code may still grow; plan again later")
_ENDS = message(
    "with ExitOnOutOfMemoryError the JVM ends (status 3) at the first OutOfMemoryError, even one that the program would catch"
)
_OPENJ9 = message(
    "OpenJ9 was not run here: this is by its documentation, and what is beside its heap has flags of its own"
)
_DUMP = message("a heap dump is as large as the heap, and holds whatever the program held, secrets too")
_SHARE = message("a share of the limit, as nothing was measured")
_GARBAGE = message("garbage included")
_ORIGINS = {
    "flag": message("as a flag says"),
    "measured": message("measured"),
    "assumed": message("assumed"),
}


def raise_hint(raise_argv: Sequence[str], size_bytes: int) -> Text:
    """How the limit is raised instead. raise_argv: arguments of `oomlens plan`, up to the size."""
    command = raise_command(raise_argv, size_bytes)
    values: dict[str, Value] = {"wanted_bytes": rounded(size_bytes), "command": command}
    return Text(_RAISE if command is None else _RAISE_BY, values)


def why(facts: JvmFacts, choice: Choice, raise_argv: Sequence[str]) -> Iterator[Text]:
    """What is wrong now, and both ways out with what they cost."""
    yield from (note.text for note in notes(facts))
    limit, needed, now = facts.limit_bytes, choice.needed_bytes, choice.now
    if limit is None or needed is None or now is None:
        return
    values: dict[str, Value] = {
        "heap_bytes": now.max_bytes, "new_bytes": choice.heap_bytes, "more_bytes": needed - limit, "needed_bytes": needed,
        "limit_bytes": limit,
    }  # fmt: skip
    if choice.heap_bytes is not None and choice.heap_bytes != now.max_bytes:
        yield Text(_THIS_WAY, values)
    if needed > limit:
        yield Text(_OTHER_WAY, values)
        yield raise_hint(raise_argv, needed + facts.others_bytes)


def arithmetic(facts: JvmFacts, choice: Choice) -> Iterator[Evidence]:
    """Where each size comes from."""
    limit, now = facts.limit_bytes, choice.now
    yield Evidence("limit", limit, "bytes", _limit_of(facts))
    if now is not None:
        flag = facts.flags.get(now.because)
        yield Evidence("heap now", now.max_bytes, "bytes", flag.text if flag is not None else now.because)
    if facts.heap_use is not None:
        yield Evidence("heap in use", facts.heap_use.used_bytes, "bytes", _GARBAGE)
    if not choice.by_share:
        for part in choice.parts:
            yield Evidence(part.name, part.size_bytes, "bytes", _ORIGINS[part.origin])
    if choice.fits_bytes is not None:
        beside = sum(part.size_bytes for part in choice.parts)
        yield Evidence(
            "heap that fits", choice.fits_bytes, "bytes", _SHARE if choice.by_share else f"{limit} - {beside}"
        )
    if choice.needed_bytes is not None and now is not None:
        more = choice.needed_bytes - now.max_bytes
        yield Evidence("limit for the heap now", choice.needed_bytes, "bytes", f"{now.max_bytes} + {more}")


def _limit_of(facts: JvmFacts) -> str:
    if not facts.others_bytes:
        return facts.limit_of
    return f"{facts.limit_of}: {(facts.limit_bytes or 0) + facts.others_bytes} - {facts.others_bytes} (others)"


def warnings(facts: JvmFacts, choice: Choice) -> Iterator[Text]:
    """What a person wants to know before."""
    use, heap = facts.heap_use, choice.heap_bytes
    if facts.openj9:
        yield Text(_OPENJ9)
    if use is not None and heap is not None and use.used_bytes > heap:
        yield Text(_HELD, {"used_bytes": use.used_bytes, "heap_bytes": heap})
    if not choice.measured:
        yield Text(_NOT_MEASURED)
    elif facts.uptime_seconds is not None and facts.uptime_seconds < _YOUNG_SECONDS:
        yield Text(_YOUNG, {"uptime_seconds": facts.uptime_seconds})
    if "ExitOnOutOfMemoryError" in choice.wanted:
        yield Text(_ENDS)
    if "HeapDumpPath" in choice.wanted:
        yield Text(_DUMP)
    yield from facts.gaps
