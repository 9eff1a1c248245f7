"""A running JVM -> what a planner needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oomlens.host.read.jcmd import ask
from oomlens.host.read.process_traits import ProcessView
from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import others_bytes, usage_of
from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.runtimes.jvm_flags import argfiles_in, expanded, read_flags
from oomlens.runtimes.jvm_native import (
    HeapUse,
    Native,
    code_bytes,
    heap_use,
    metaspace_bytes,
    native_memory,
    seen_limit,
    vm_flags,
)
from oomlens.runtimes.jvm_version import JvmVersion, printed_version, release_version
from oomlens.runtimes.names import recognised

_VERSION, _FLAGS, _NATIVE, _HEAP, _INFO, _METASPACE, _CODE = (
    "VM.version", "VM.flags -all", "VM.native_memory summary scale=KB", "GC.heap_info", "VM.info", "VM.metaspace", "Compiler.codecache",
)  # fmt: skip
_KEPT_FREE = 10  # a tenth of the machine


def is_jvm(reader: Reader, process: Process) -> bool:
    """Whether a process is a JVM, by its program and libraries."""
    view = ProcessView(reader.tree.root / "proc", process.pid)
    return recognised(view.traits(process.comm)) == "jvm"


def live_facts(
    reader: Reader,
    process: Process,
    target: str,
    *,
    limit_bytes: int | None = None,
    version: JvmVersion | None = None,
    ask_jvm: bool = True,
) -> JvmFacts:
    """Facts of a running JVM. limit_bytes, version: in place of what is found. ask_jvm: whether jcmd is used."""
    view = ProcessView(reader.tree.root / "proc", process.pid)
    snapshot = reader.snapshot
    usage = usage_of(snapshot, process)
    argv = view.argv()
    files = {name: text for name in argfiles_in(argv) if (text := view.in_own_files(name)) is not None}
    environment = view.environment()
    gaps: list[Text] = []
    if environment is None:
        gaps.append(
            Text(message("its environment may not be read: flags in JAVA_TOOL_OPTIONS and the like are not known"))
        )
    facts = JvmFacts(
        target=target,
        flags=read_flags(expanded(argv, files), environment or {}),
        version=version or _release(view),
        pid=process.pid,
        threads=process.threads,
        cgroup=process.cgroup,
        cgroup_version=usage.version if usage is not None else None,
        machine_bytes=snapshot.host.meminfo.get("mem_total_bytes"),
        uptime_seconds=_uptime(snapshot, process),
    )
    facts = _limited(facts, snapshot, process, usage, limit_bytes)
    if ask_jvm:
        facts = _asked(reader, process, view, facts)
    return replace(facts, unaccounted_bytes=_unaccounted(process, facts), gaps=(*gaps, *facts.gaps))


def _release(view: ProcessView) -> JvmVersion | None:
    """From the file beside the program's folder; a link of another distribution's layout is followed by the kernel."""
    program = view.link("exe")
    if program is None or "/bin/" not in program:
        return None
    home = program.rpartition("/bin/")[0].removesuffix("/jre")
    text = view.in_own_files(f"{home}/release")
    return None if text is None else release_version(text)


def _uptime(snapshot: Snapshot, process: Process) -> float | None:
    now = snapshot.host.uptime_seconds
    return None if now is None else max(now - process.started_uptime_seconds, 0.0)


def _limited(
    facts: JvmFacts, snapshot: Snapshot, process: Process, usage: CgroupUsage | None, given: int | None
) -> JvmFacts:
    """The limit less what others hold below it; on a machine without one what the others leave of its RAM."""
    if given is not None:
        return replace(facts, limit_bytes=given, limit_of="--limit")
    if usage is not None and usage.effective_max_bytes is not None and usage.effective_max_path is not None:
        others = others_bytes(snapshot, process, usage.effective_max_path)
        whole, limit_of = usage.effective_max_bytes, usage.effective_max_path
    elif facts.machine_bytes is not None:
        others = others_bytes(snapshot, process, None)
        whole, limit_of = facts.machine_bytes - facts.machine_bytes // _KEPT_FREE, "host"
    else:
        return facts
    return replace(facts, limit_bytes=max(whole - others, 0), limit_of=limit_of, others_bytes=others)


def _asked(reader: Reader, process: Process, view: ProcessView, facts: JvmFacts) -> JvmFacts:
    first = ask(reader, process, view, (_VERSION, _FLAGS, _NATIVE, _HEAP, _INFO))
    printed, gap = dict(first.printed), first.gap
    native = native_memory(printed.get(_NATIVE, ""))
    gaps = [] if gap is None else [gap]
    if native is None and gap is None:
        more = ask(reader, process, view, (_METASPACE, _CODE))
        printed |= more.printed
        native = _untracked(printed)
        gaps.append(
            Text(
                message(
                    "native memory tracking is off; with -XX:NativeMemoryTracking=summary (some percent slower) every part is measured"
                )
            )
        )
    effective = vm_flags(printed.get(_FLAGS, ""))
    known, seen = seen_limit(printed.get(_INFO, ""))
    return replace(
        facts,
        version=printed_version(printed.get(_VERSION, "")) or facts.version,
        max_heap_bytes=_number(effective, "MaxHeapSize"),
        native=native,
        heap_use=heap_use(printed.get(_HEAP, "")),
        seen_known=known,
        seen_bytes=seen,
        gaps=tuple(gaps),
    )


def _untracked(printed: Mapping[str, str]) -> Native:
    """What a JVM says without native memory tracking."""
    return Native(
        metaspace_bytes=metaspace_bytes(printed.get(_HEAP, ""), printed.get(_METASPACE, "")),
        code_bytes=code_bytes(printed.get(_CODE, "")),
    )


def _number(effective: Mapping[str, str], name: str) -> int | None:
    value = effective.get(name, "")
    return int(value) if value.isdecimal() and len(value) <= 20 else None


def _unaccounted(process: Process, facts: JvmFacts) -> int | None:
    """Anonymous memory beyond all that the JVM committed: a lower bound, since it need not have touched all of that."""
    held, heap, native = process.rss_anon_bytes, facts.heap_use, facts.native
    if held is None or native is None:
        return None
    held += process.swap_bytes or 0
    if native.total_bytes is not None:
        return max(held - native.total_bytes, 0)
    if heap is None:
        return None
    own: HeapUse = heap
    return max(held - own.committed_bytes - (native.metaspace_bytes or 0) - (native.code_bytes or 0), 0)
