"""Which flags a JVM gets: the heap that fits into its limit, caps for what is beside it, and a Java error instead of a kill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oomlens.plan.jvm.facts import JvmFacts
from oomlens.runtimes.jvm_flags import suffixed
from oomlens.runtimes.jvm_heap import Heap
from oomlens.runtimes.jvm_need import Part, capped, caps_for, heap_for, known, limit_for, limit_for_share, parts_beside
from oomlens.runtimes.jvm_version import GONE, knows_percentages, starts_with_whole_percentages

# Flags that set the heap's size, and lose or do nothing beside -Xmx.
PERCENTAGES = frozenset(
    {"MaxRAMPercentage", "MinRAMPercentage", "MaxRAMFraction", "MinRAMFraction", "UseCGroupMemoryLimitForHeap"}
)
HEAP_NAMES = PERCENTAGES | {"MaxHeapSize", "MaxRAM", "ErgoHeapSizeLimit"}
# ExitOnOutOfMemoryError came with 8u92; where another end is chosen already, it stays.
_ENDINGS = ("ExitOnOutOfMemoryError", "CrashOnOutOfMemoryError", "OnOutOfMemoryError")


@dataclass(frozen=True, slots=True)
class JvmWish:
    """heap_bytes: a heap of the person's own. percent: heap as a part of the limit. dump: folder or file for a heap dump; "": none."""

    heap_bytes: int | None = None
    percent: bool = False
    dump: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """now: what the heap may grow to. needed_bytes: the limit that the flags as they are need. fits_bytes: the heap that fits the limit.

    measured: whether the sizes beside the heap were. by_share: whether the heap that fits is a share of the limit, as they were not.
    heap_bytes: the heap to set, None: it stays.
    wanted: options by name; drop: names that do nothing or harm beside them.
    """

    now: Heap | None
    parts: tuple[Part, ...]
    needed_bytes: int | None
    fits_bytes: int | None
    measured: bool
    by_share: bool
    heap_bytes: int | None
    wanted: Mapping[str, str]
    drop: frozenset[str]


def choose(wish: JvmWish, facts: JvmFacts) -> Choice:
    """The flags, from the facts."""
    flags, native, limit = facts.flags, facts.native, facts.limit_bytes
    now = facts.heap
    scale = limit if limit is not None else limit_for_share(now.max_bytes) if now is not None else 0
    beside = {"threads": facts.threads, "unaccounted_bytes": facts.unaccounted_bytes}
    parts = parts_beside(flags, native, scale_bytes=scale, **beside)
    fits = None if limit is None else heap_for(limit, flags, native, parts)
    needed = None
    if now is not None:
        scaled = parts if known(native) else parts_beside(
            flags, native, scale_bytes=limit_for_share(now.max_bytes), **beside
        )  # fmt: skip
        needed = limit_for(now.max_bytes, flags, native, scaled)
    heap = wish.heap_bytes or _heap(facts, now, fits)
    wanted = _endings(wish, facts)
    caps = caps_for(flags, native, limit)
    if caps.metaspace_bytes is not None and not facts.openj9:
        wanted["MaxMetaspaceSize"] = f"-XX:MaxMetaspaceSize={suffixed(caps.metaspace_bytes)}"
    if caps.direct_bytes is not None:
        wanted["MaxDirectMemorySize"] = f"-XX:MaxDirectMemorySize={suffixed(caps.direct_bytes)}"
    drop = gone(facts)
    if heap is not None:
        sized, beside_it = _sized(wish, facts, heap)
        wanted, drop = sized | wanted, drop | beside_it
    else:
        wanted = {name: f"{text}.0" for name, text in whole_percentages(facts).items()} | wanted
    by_share = not known(native) and not capped(flags)
    return Choice(now, parts, needed, fits, known(native), by_share, heap, wanted, drop)


def gone(facts: JvmFacts) -> frozenset[str]:
    """Flags that this generation does not start with."""
    version = facts.version
    if version is None or version.openj9:
        return frozenset()
    return frozenset(
        name for name, first in GONE.items() if facts.flags.get(name) is not None and version.feature >= first
    )


def whole_percentages(facts: JvmFacts) -> dict[str, str]:
    """Percentages without a decimal point, as written, by name: JDK 8 does not start with them."""
    if starts_with_whole_percentages(facts.version) is True:
        return {}
    found = {name: facts.flags.get(name) for name in ("MaxRAMPercentage", "MinRAMPercentage", "InitialRAMPercentage")}
    return {name: flag.text for name, flag in found.items() if flag is not None and flag.value.isdecimal()}


def _heap(facts: JvmFacts, now: Heap | None, fits: int | None) -> int | None:
    """The heap to set: what fits, where it is too large now, or where nobody chose it."""
    if fits is None:
        return None
    if now is None or now.max_bytes > fits:
        return fits
    chosen = now.because in ("MaxHeapSize", "InitialHeapSize", "ErgoHeapSizeLimit") or (
        now.because in ("MaxRAMPercentage", "MinRAMPercentage") and facts.flags.get(now.because) is not None
    )
    return None if chosen or facts.limit_of == "host" else fits


def _sized(wish: JvmWish, facts: JvmFacts, heap: int) -> tuple[dict[str, str], frozenset[str]]:
    """The options for a heap of that size, and those that go."""
    flags, limit = facts.flags, facts.limit_bytes
    start = flags.size("InitialHeapSize")
    wanted: dict[str, str] = {}
    if start is not None and start > heap:
        wanted["InitialHeapSize"] = f"-Xms{suffixed(heap)}"  # a JVM with -Xms above -Xmx does not start
    if _in_percent(wish, facts) and limit:
        share = int(heap * 1000 / limit) / 10  # never above
        share = share if share >= 1 else 1.0
        wanted |= {name: f"-XX:{name}={share:.1f}" for name in ("MaxRAMPercentage", "MinRAMPercentage")}
        return wanted, HEAP_NAMES - wanted.keys()
    return {"MaxHeapSize": f"-Xmx{suffixed(heap)}"} | wanted, PERCENTAGES


def _in_percent(wish: JvmWish, facts: JvmFacts) -> bool:
    """Whether the heap follows the limit: as asked, or where it was meant to and the JVM sees the limit."""
    if facts.sees_limit is not True or facts.limit_of == "host" or knows_percentages(facts.version) is False:
        return False
    meant = any(facts.flags.get(name) for name in ("MaxRAMPercentage", "MinRAMPercentage"))
    fixed = any(facts.flags.get(name) for name in ("MaxHeapSize", "MaxRAM", "ErgoHeapSizeLimit"))
    return not fixed and (wish.percent or (meant and wish.heap_bytes is None))


def _endings(wish: JvmWish, facts: JvmFacts) -> dict[str, str]:
    """What makes the next shortage a Java error that is seen: the JVM ends, with a heap dump where there is room for one."""
    flags, wanted = facts.flags, {}
    old = facts.version is not None and facts.version.feature == 8 and (facts.version.update or 92) < 92
    if not old and not any(flags.get(name) for name in _ENDINGS):
        wanted["ExitOnOutOfMemoryError"] = "-XX:+ExitOnOutOfMemoryError"
    if wish.dump and not flags.is_on("HeapDumpOnOutOfMemoryError"):
        wanted["HeapDumpOnOutOfMemoryError"] = "-XX:+HeapDumpOnOutOfMemoryError"
    if wish.dump and flags.get("HeapDumpPath") is None:
        wanted["HeapDumpPath"] = f"-XX:HeapDumpPath={wish.dump}"
    return wanted
