"""How much memory a JVM needs beside its heap, and so which heap fits into a limit, or which limit a heap needs.

Each part comes from a flag, from what the JVM measured itself, or is assumed; which, it says.
Assumptions: the memory calculators of Cloud Foundry and Paketo for direct buffers and classes; the rest was measured on small JVMs.
"""

from __future__ import annotations

from typing import NamedTuple

from oomlens.runtimes.jvm_flags import Flags
from oomlens.runtimes.jvm_heap import MIB, aligned_down
from oomlens.runtimes.jvm_native import Native

FLAG, MEASURED, ASSUMED = "flag", "measured", "assumed"

_ASSUMED_DIRECT_BYTES = 10 * MIB
_ASSUMED_CODE_BYTES = 64 * MIB
_ASSUMED_THREADS = 100
_CLASS_BYTES, _CLASSES_BASE_BYTES, _ASSUMED_CLASSES = 5800, 14_000_000, 10_000
_MOST_PER_THREAD, _LEAST_PER_THREAD = MIB // 4, MIB // 10  # a stack is taken only as far as it is used
_BASE_BYTES = 30 * MIB  # the library's own data, class archive, symbols, compiler, collector of a small heap
_LEAST_METASPACE_BYTES = 8 * MIB  # some hundred more classes
_MOST_METASPACE_BYTES = 256 * MIB  # where nothing was measured
_LEAST_HEAP_BYTES = 16 * MIB


class Part(NamedTuple):
    """name: direct, metaspace, code, threads, base, slack, or beside (all in one, where nothing is known)."""

    name: str
    size_bytes: int
    origin: str


class Caps(NamedTuple):
    """Limits for what is beside the heap, as flags; None: left alone."""

    metaspace_bytes: int | None
    direct_bytes: int | None


def heap_share(limit_bytes: int) -> int:
    """-Xmx for a limit where nothing was measured: bytes, whole MiB.

    A quarter of the limit is kept, at least 128 MiB where that is no more than half of it.
    """
    beside = max(limit_bytes // 4, min(128 * MIB, limit_bytes // 2))
    return max((limit_bytes - beside) // MIB, 1) * MIB


def limit_for_share(heap_bytes: int) -> int:
    """The least limit whose `heap_share` is that heap: bytes."""
    if heap_bytes <= 128 * MIB:
        return 2 * heap_bytes
    return max(-(-heap_bytes * 4 // 3), heap_bytes + 128 * MIB)


def caps_for(flags: Flags, native: Native | None, limit_bytes: int | None = None) -> Caps:
    """The caps that are missing; a class or buffer leak then ends in a Java error.

    Measured ones have room to grow. Without a measurement metaspace gets half of what a share of the limit leaves, and direct
    buffers none, since nothing tells what they need.
    """
    metaspace, direct = None, None
    if flags.size("MaxMetaspaceSize") is None:
        if native is not None and native.metaspace_bytes is not None:
            metaspace = max(_up(int(native.metaspace_bytes * 1.25)), _LEAST_METASPACE_BYTES)
        elif limit_bytes is not None:
            half = (limit_bytes - heap_share(limit_bytes)) // 2
            metaspace = max(min(half, _MOST_METASPACE_BYTES) // MIB * MIB, _LEAST_METASPACE_BYTES)
    if native is not None and native.direct_bytes is not None and not flags.size("MaxDirectMemorySize"):
        direct = max(_up(int(native.direct_bytes * 1.5)), _ASSUMED_DIRECT_BYTES)
    return Caps(metaspace, direct)


def parts_beside(
    flags: Flags,
    native: Native | None,
    *,
    scale_bytes: int,
    threads: int | None = None,
    unaccounted_bytes: int | None = None,
) -> tuple[Part, ...]:
    """What a JVM takes beside its heap, part by part.

    scale_bytes: the limit, or the heap; small ones are taken to hold small programs where nothing was measured.
    threads: as the kernel counts them. unaccounted_bytes: anonymous memory of the process that the JVM does not know of.
    """
    native = native or Native()
    parts = [
        _metaspace(flags, native, scale_bytes),
        _direct(flags, native, scale_bytes),
        _code(flags, native, scale_bytes),
        _threads(native, threads, scale_bytes),
        _base(native, unaccounted_bytes),
    ]
    rest = sum(part.size_bytes for part in parts if part.name not in ("base", "metaspace"))
    return (*parts, Part("slack", max(2 * MIB, rest // 10), ASSUMED))


def _metaspace(flags: Flags, native: Native, scale_bytes: int) -> Part:
    cap = flags.size("MaxMetaspaceSize")
    if cap is not None:
        return Part("metaspace", cap, FLAG)
    missing = caps_for(flags, native).metaspace_bytes
    if missing is not None:
        return Part("metaspace", missing, MEASURED)
    if native.classes is not None:
        return Part("metaspace", _up(_CLASSES_BASE_BYTES + _CLASS_BYTES * native.classes), MEASURED)
    usual = _CLASSES_BASE_BYTES + _CLASS_BYTES * _ASSUMED_CLASSES
    return Part("metaspace", _up(min(usual, scale_bytes // 8)), ASSUMED)


def _direct(flags: Flags, native: Native, scale_bytes: int) -> Part:
    cap = flags.size("MaxDirectMemorySize")
    if cap:
        return Part("direct", cap, FLAG)
    if native.direct_bytes is not None:
        # What it has not used by now is within the base, up to the cap of 10 MiB.
        return Part("direct", _up(int(native.direct_bytes * 1.5)), MEASURED)
    return Part("direct", min(_ASSUMED_DIRECT_BYTES, scale_bytes // 32), ASSUMED)


def _code(flags: Flags, native: Native, scale_bytes: int) -> Part:
    if native.code_bytes is not None:
        return Part("code", native.code_bytes, MEASURED)
    cap = flags.size("ReservedCodeCacheSize")
    usual = min(_ASSUMED_CODE_BYTES, scale_bytes // 16)
    return Part("code", cap, FLAG) if cap is not None and cap < usual else Part("code", usual, ASSUMED)


def _threads(native: Native, threads: int | None, scale_bytes: int) -> Part:
    count = max(threads or 0, native.threads or 0)
    if not count:
        return Part("threads", min(_ASSUMED_THREADS * _MOST_PER_THREAD, scale_bytes // 32), ASSUMED)
    if native.thread_bytes is not None and native.threads:
        each = max(int(native.thread_bytes / native.threads * 1.25), _LEAST_PER_THREAD)
        return Part("threads", count * each, MEASURED)
    return Part("threads", count * _MOST_PER_THREAD, MEASURED)


def _base(native: Native, unaccounted_bytes: int | None) -> Part:
    if native.own_bytes is None and unaccounted_bytes is None:
        return Part("base", _BASE_BYTES, ASSUMED)
    found = int((native.own_bytes or 0) * 1.1) + max(unaccounted_bytes or 0, 0)
    return Part("base", max(_up(found), _BASE_BYTES), MEASURED if found > _BASE_BYTES else ASSUMED)


def known(native: Native | None) -> bool:
    """Whether enough was measured for parts; else the share of the limit decides."""
    return native is not None and native.metaspace_bytes is not None and native.code_bytes is not None


def heap_for(limit_bytes: int, flags: Flags, native: Native | None, parts: tuple[Part, ...]) -> int | None:
    """The largest heap that fits: bytes, as the JVM leaves it; None where not even 16 MiB do."""
    beside = sum(part.size_bytes for part in parts)
    room = limit_bytes - beside if known(native) else _assumed_room(limit_bytes, flags, beside)
    return None if room < _LEAST_HEAP_BYTES else aligned_down(room)


def limit_for(heap_bytes: int, flags: Flags, native: Native | None, parts: tuple[Part, ...]) -> int:
    """The limit that a heap and what is beside it need: bytes."""
    needed = heap_bytes + sum(part.size_bytes for part in parts)
    if known(native):
        return needed
    share = limit_for_share(heap_bytes)
    return max(share, needed) if capped(flags) else share


def _assumed_room(limit_bytes: int, flags: Flags, beside_bytes: int) -> int:
    """The share; less where flags say that more is needed beside the heap."""
    share = heap_share(limit_bytes)
    return min(share, limit_bytes - beside_bytes) if capped(flags) else share


def capped(flags: Flags) -> bool:
    """Whether flags say what is needed beside the heap."""
    return flags.size("MaxMetaspaceSize") is not None or bool(flags.size("MaxDirectMemorySize"))


def _up(size_bytes: int) -> int:
    return -(-size_bytes // MIB) * MIB
