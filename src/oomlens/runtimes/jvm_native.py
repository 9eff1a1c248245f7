"""What a JVM says of its memory through jcmd: text -> bytes. The text is a foreign program's; what does not fit is left out.

Sources: HotSpot src/hotspot/share/nmt/memReporter.cpp, gc/shared, code/codeCache.cpp, os/linux/os_linux.cpp.
Read: 8, 17 and 25.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KIB = 1024
_CATEGORY = re.compile(
    r"^-\s+(?P<name>[A-Z][A-Za-z ]{0,40}?)\s+\(reserved=[0-9]{1,15}KB, committed=(?P<committed>[0-9]{1,15})KB",
    re.MULTILINE,
)
_TOTAL = re.compile(r"^Total: reserved=[0-9]{1,15}KB, committed=(?P<committed>[0-9]{1,15})KB", re.MULTILINE)
_THREADS = re.compile(r"\(threads? #(?P<count>[0-9]{1,9})\)")
_CLASSES = re.compile(r"\(classes #(?P<count>[0-9]{1,9})\)")
# Serial, Parallel and G1 (25: `total reserved …, committed …`); ZGC; Shenandoah.
_HEAP_LINES = (
    re.compile(
        r"total (?:reserved [0-9]{1,15}K, committed )?(?P<total>[0-9]{1,15})(?P<unit>K), used (?P<used>[0-9]{1,15})(?P<used_unit>K)"
    ),
    re.compile(r"ZHeap\s+used (?P<used>[0-9]{1,9})(?P<used_unit>M), capacity (?P<total>[0-9]{1,9})(?P<unit>M)"),
    re.compile(r"(?P<total>[0-9]{1,15})(?P<unit>[KMG]) committed, (?P<used>[0-9]{1,15})(?P<used_unit>[KMG]) used"),
)
_METASPACE_LINE = re.compile(r"^\s*Metaspace\s+used [^\n]*?committed (?P<committed>[0-9]{1,15})K", re.MULTILINE)
_METASPACE_BOTH = re.compile(
    r"^\s*Both:\s+[0-9.]+ [KMG]?B(?:ytes)? reserved,\s+(?P<number>[0-9]+(?:\.[0-9]+)?) (?P<unit>bytes|KB|MB|GB)[^\n]* committed",
    re.MULTILINE,
)
_CODE_LINE = re.compile(
    r"(?:CodeHeap '[^']{1,60}'|CodeCache): size=[0-9]{1,12}Kb,? used=[0-9]{1,12}Kb,? max_used=(?P<used>[0-9]{1,12})Kb"
)
_FLAG_LINE = re.compile(r"^\s*[a-z_0-9]+\s+(?P<name>[A-Za-z0-9_]{1,80})\s+:?=\s+(?P<value>\S{1,200})\s", re.MULTILINE)
_SEEN = re.compile(r"^memory_limit_in_bytes: (?P<value>[^\n]{1,40})$", re.MULTILINE)
_SHIFT = {"K": 10, "M": 20, "G": 30}
_UNITS = {"bytes": 0, "KB": 10, "MB": 20, "GB": 30}
_INITIAL_CODE_BYTES = 7488 * KIB  # three segments of InitialCodeCacheSize, committed at once
_UNLIMITED_BYTES = 1 << 60

# What is counted on its own; the rest of native memory tracking is the JVM's own needs.
_OWN_TERMS = frozenset({"Java Heap", "Class", "Metaspace", "Thread", "Code", "Other", "Shared class space"})


class Native(NamedTuple):
    """Bytes that a JVM holds beside its heap, as it says; None: it does not say.

    tracked: whether native memory tracking was on. total_bytes: all that is tracked, heap included.
    direct_bytes: direct buffers and the like (category Other; 11 on). own_bytes: the collector, compiler, symbols and so on.
    """

    tracked: bool = False
    total_bytes: int | None = None
    metaspace_bytes: int | None = None
    code_bytes: int | None = None
    thread_bytes: int | None = None
    threads: int | None = None
    classes: int | None = None
    direct_bytes: int | None = None
    own_bytes: int | None = None


class HeapUse(NamedTuple):
    """Bytes of the heap in use, garbage included, and taken from the system."""

    used_bytes: int
    committed_bytes: int


def native_memory(output: str) -> Native | None:
    """`VM.native_memory summary scale=KB`; None where tracking is off."""
    total = _TOTAL.search(output)
    kib: dict[str, int] = {}
    for found in _CATEGORY.finditer(output):
        kib[found["name"]] = kib.get(found["name"], 0) + int(found["committed"])
    if total is None or "Java Heap" not in kib:
        return None
    threads, classes = _THREADS.search(output), _CLASSES.search(output)
    return Native(
        tracked=True,
        total_bytes=int(total["committed"]) * KIB,
        metaspace_bytes=(kib.get("Class", 0) + kib.get("Metaspace", 0)) * KIB,
        code_bytes=kib.get("Code", 0) * KIB,
        thread_bytes=kib.get("Thread", 0) * KIB,
        threads=int(threads["count"]) if threads else None,
        classes=int(classes["count"]) if classes else None,
        # A category of nothing is not printed. JDK 8 knows neither Other nor Module, and counts direct buffers as Internal.
        direct_bytes=kib.get("Other", 0) * KIB if "Module" in kib or "Other" in kib else None,
        own_bytes=sum(value for name, value in kib.items() if name not in _OWN_TERMS) * KIB,
    )


def heap_use(output: str) -> HeapUse | None:
    """`GC.heap_info`: the sum of its spaces; None where it is in another form."""
    body = output.partition("Metaspace")[0]
    for line in _HEAP_LINES:
        found = [
            HeapUse(int(each["used"]) << _SHIFT[each["used_unit"]], int(each["total"]) << _SHIFT[each["unit"]])
            for each in line.finditer(body)
        ]
        if found:
            return HeapUse(sum(each.used_bytes for each in found), sum(each.committed_bytes for each in found))
    return None


def metaspace_bytes(heap_info: str, metaspace: str = "") -> int | None:
    """Committed metaspace, class space included, from `GC.heap_info` (until 24) or `VM.metaspace` (10 on)."""
    found = _METASPACE_LINE.search(heap_info)
    if found is not None:
        return int(found["committed"]) * KIB
    both = _METASPACE_BOTH.search(metaspace)
    return None if both is None else round(float(both["number"]) * (1 << _UNITS[both["unit"]]))


def code_bytes(output: str) -> int | None:
    """Committed code cache, from `Compiler.codecache`: the most that was used, and no less than is committed at the start."""
    heaps = [int(found["used"]) for found in _CODE_LINE.finditer(output) if found[0].startswith("CodeHeap")]
    whole = [int(found["used"]) for found in _CODE_LINE.finditer(output) if found[0].startswith("CodeCache")]
    used = sum(heaps) if heaps else max(whole, default=None) if whole else None
    return None if used is None else max(used * KIB, _INITIAL_CODE_BYTES)


def vm_flags(output: str) -> dict[str, str]:
    """`VM.flags -all`: every flag with its value, as text."""
    return {found["name"]: found["value"] for found in _FLAG_LINE.finditer(output)}


def seen_limit(output: str) -> tuple[bool, int | None]:
    """`VM.info`: whether it tells of a container, and the memory limit that the JVM sees there in bytes; None: no limit."""
    if "container (cgroup) information" not in output:
        return False, None
    found = _SEEN.search(output)
    if found is None:
        return False, None
    number, _, unit = found["value"].strip().partition(" ")
    if not number.isdecimal() or len(number) > 20:
        return number in ("unlimited", "-1"), None
    size = int(number) << (10 if unit == "k" else 0)
    return True, None if size >= _UNLIMITED_BYTES else size
