"""Heap settings of managed runtimes."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _set_jvm_heap(c: Context) -> tuple[str, ...]:
    heap = "<SIZE>" if c.heap_bytes is None else f"{c.heap_bytes >> 20}m"
    start = "<SIZE>" if c.heap_bytes is None else f"{max(c.heap_bytes >> 21, 1)}m"
    return (
        note("what it takes now"),
        f"jcmd {c.shown_pid} VM.flags; jcmd {c.shown_pid} VM.native_memory summary",
        note("fixed sizes"),
        f"java -Xms{start} -Xmx{heap} -XX:MaxMetaspaceSize=256m -XX:+ExitOnOutOfMemoryError -XX:+HeapDumpOnOutOfMemoryError -jar <APP>.jar",
        note("or a part of the container's limit"),
        "java -XX:+UseContainerSupport -XX:MaxRAMPercentage=75.0 -XX:MinRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError -jar <APP>.jar",
        note("without touching the command line"),
        f"export JAVA_TOOL_OPTIONS='-Xmx{heap} -XX:MaxMetaspaceSize=256m -XX:+ExitOnOutOfMemoryError'",
    )


def _set_node_heap(c: Context) -> tuple[str, ...]:
    heap = "<MIB>" if c.heap_bytes is None else str(c.heap_bytes >> 20)
    return (f"export NODE_OPTIONS=--max-old-space-size={heap}",)


def _set_go_memlimit(c: Context) -> tuple[str, ...]:
    soft = "<SIZE>" if c.old_limit_bytes is None else f"{int(c.old_limit_bytes * 0.9) >> 20}MiB"
    return (f"export GOMEMLIMIT={soft}",)


REMEDIES = (
    Remedy(
        "set-jvm-heap",
        message("Set the JVM heap to fit"),
        message(
            "Heap, metaspace, code and threads together must stay below the limit. Below about 250 MiB"
            " MaxRAMPercentage is ignored unless MinRAMPercentage is set too; JDK 8 wants the form 75.0."
        ),
        "disruptive",
        _set_jvm_heap,
    ),
    Remedy(
        "set-node-heap",
        message("Set the Node heap to fit"),
        message(
            "V8 sets its limit in coarse steps and may exceed a small container. Buffers are outside the heap:"
            " keep a third free."
        ),
        "disruptive",
        _set_node_heap,
    ),
    Remedy(
        "set-go-memlimit",
        message("Tell Go its limit"),
        message("Go does not read the limit of its cgroup. GOMEMLIMIT is soft and does not cover cgo."),
        "disruptive",
        _set_go_memlimit,
    ),
)
