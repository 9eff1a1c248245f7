"""Builder -> Report: units, scope, outcome, gaps, and the stable id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import repeat
from typing import Any

from oomlens.decode.builder import Builder, NodeDraft, ZoneDraft
from oomlens.decode.clock import resolve
from oomlens.decode.grammar.tasks import Rows
from oomlens.kernel.balance import balance
from oomlens.kernel.cgroup_names import names_of
from oomlens.kernel.gfp import decode_gfp
from oomlens.kernel.pagesize import page_size_from
from oomlens.model.record import Record
from oomlens.model.report import (
    Gap,
    Invoker,
    Kind,
    Memcg,
    Memory,
    Node,
    Origin,
    Outcome,
    Report,
    Scope,
    Task,
    Trigger,
    Victim,
    Zone,
)

_SCOPES = {"NONE": Scope.GLOBAL, "MEMCG": Scope.MEMCG, "CPUSET": Scope.CPUSET, "MEMORY_POLICY": Scope.MEMPOLICY}
# Table columns in pages, and the field each becomes.
_PAGE_COLUMNS = {
    "total_vm": "total_vm_bytes",
    "rss": "rss_bytes",
    "rss_anon": "rss_anon_bytes",
    "rss_file": "rss_file_bytes",
    "rss_shmem": "rss_shmem_bytes",
    "swapents": "swap_bytes",
}
_PLAIN_COLUMNS = ("pid", "tgid", "uid", "pgtables_bytes", "oom_score_adj", "oom_adj")
_TABLE_COUNTS = ("nr_ptes", "nr_pmds", "nr_puds")  # page-table pages (up to 4.14)
# `cpu` (up to 3.5) is where the task ran last: it says nothing about memory.
_KNOWN_COLUMNS = frozenset({*_PLAIN_COLUMNS, *_PAGE_COLUMNS, *_TABLE_COUNTS, "cpu"})
_COUNTER_ALIASES = {"highmem_movableonly": "highmem"}


def is_report(builder: Builder) -> bool:
    """Whether the lines show an OOM event; a Mem-Info block alone is an allocation failure's."""
    return builder.evidence and not builder.absorber


def finish(builder: Builder, source: str, reference: datetime | None) -> Report:
    """The immutable report."""
    page_size = _page_size(builder)
    gaps = list(builder.gaps)
    tasks = _tasks(builder.rows, page_size)
    victims = _victims(builder, tasks)
    scope = _scope(builder)
    outcome = _outcome(builder, victims)
    told = builder.verdict_record or builder.first
    time, time_gap = _time(told, builder.first, reference)
    if time_gap is not None:
        gaps.append(Gap("time", time_gap, told.line))
    memory = _memory(builder, page_size)
    memcg = _memcg(builder)
    gaps.extend(_gaps(builder, scope, memory, memcg, page_size, victims))
    oom_memcg = builder.oom_memcg or (builder.stats_path if scope is Scope.MEMCG else None)
    report = Report(
        id="",
        kind=Kind.KERNEL,
        origin=Origin(source, builder.envelope, *builder.span),
        killer="kernel",
        outcome=outcome,
        scope=scope,
        constraint=builder.constraint,
        trigger=_trigger(builder),
        time=time,
        uptime_seconds=told.uptime_seconds if told.uptime_seconds is not None else builder.last_uptime,
        host=builder.host,
        kernel_release=builder.release,
        tainted=builder.tainted,
        hardware=builder.hardware,
        invoker=_invoker(builder),
        cpuset=builder.cpuset,
        mems_allowed=builder.mems_allowed,
        nodemask=builder.nodemask,
        oom_memcg=oom_memcg,
        task_memcg=builder.task_memcg,
        oom_memcg_names=names_of(oom_memcg) if oom_memcg else None,
        task_memcg_names=names_of(builder.task_memcg) if builder.task_memcg else None,
        oom_group=builder.group,
        memcg=memcg,
        memory=memory,
        balance=balance(memory) if memory is not None else None,
        trace=tuple(builder.trace),
        tasks=tasks,
        chosen=builder.chosen,
        victims=victims,
        message=builder.message,
        panic=builder.panic,
        suppressed=builder.suppressed,
        lines=builder.lines,
        sections=tuple(builder.sections),
        complete=_complete(builder, scope, memory, memcg),
        gaps=tuple(gaps),
    )
    return replace(report, id=report_id(report))


def report_id(report: Report) -> str:
    """The same incident gives the same id whatever source, envelope, host name or clock it was read with.

    With a victim: what the kernel printed about the first one.
    Without: the invoker, the cgroup and the sizes of the report.
    """
    if report.victims:
        first = report.victims[0]
        sizes = (first.total_vm_bytes, first.anon_rss_bytes)
        # A name may be escaped differently by each logger; pid and sizes tell enough where they are printed.
        name = "" if first.total_vm_bytes is not None else "".join(filter(str.isalnum, first.comm or ""))
        key = f"{report.killer}|{first.pid}|{name}|{sizes}"
    else:
        invoker = report.invoker or Invoker()
        key = "|".join(
            str(part)
            for part in (
                report.killer,
                report.outcome,
                invoker.comm,
                invoker.pid,
                invoker.gfp_mask,
                invoker.order,
                report.oom_memcg,
                report.memory.get("free_bytes") if report.memory else None,
                report.tasks[-1].pid if report.tasks else None,
            )
        )
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:12]


def _time(told: Record, first: Record, reference: datetime | None) -> tuple[str | None, str | None]:
    stamp = told.stamp or first.stamp
    if stamp is None:
        return None, "no-wall-clock-in-log"
    return resolve(stamp, reference)


def _page_size(builder: Builder) -> int | None:
    kill = next((victim for victim in builder.victims if victim.total_vm_bytes), None)
    found = builder.row_of(kill.pid) if kill is not None else None
    total_vm = (
        int(found[1][found[0].columns.index("total_vm")])
        if found is not None and "total_vm" in found[0].columns
        else None
    )
    names = ("active_anon", "inactive_anon", "active_file", "inactive_file")
    size, _how = page_size_from(
        buddy_first_block_kb=(builder.block_bytes // 1024,) if builder.block_bytes else (),
        victim_total_vm_kb=kill.total_vm_bytes // 1024 if kill is not None and kill.total_vm_bytes else None,
        victim_total_vm_pages=total_vm,
        node_kb_and_pages=[
            (sum(node.counters.get(f"{name}_bytes", 0) for node in builder.nodes) // 1024, builder.pages[name])
            for name in names
            if builder.nodes and name in builder.pages
        ],
        texts=(builder.release or "", *builder.trace),
    )
    return size


def _tasks(tables: Sequence[Rows], page_size: int | None) -> tuple[Task, ...]:
    """All rows with sizes in bytes; converted column by column, for a table may have tens of thousands of rows."""
    tasks: list[Task] = []
    for rows in tables:
        numbers = {
            name: list(map(int, column))
            for name, column in zip(rows.columns, zip(*rows.cells, strict=True), strict=False)
        }
        fields: dict[str, Iterable[Any]] = {name: numbers[name] for name in _PLAIN_COLUMNS if name in numbers}
        fields["comm"] = [cells[-1] for cells in rows.cells]
        if page_size is not None:
            for name, field in _PAGE_COLUMNS.items():
                if name in numbers:
                    fields[field] = [pages * page_size for pages in numbers[name]]
            counts = [numbers[name] for name in _TABLE_COUNTS if name in numbers]
            if counts:
                fields["pgtables_bytes"] = [sum(parts) * page_size for parts in zip(*counts, strict=True)]
        else:
            fields["pages"] = _maps({name: numbers[name] for name in _PAGE_COLUMNS if name in numbers})
        unknown = {name: column for name, column in numbers.items() if name not in _KNOWN_COLUMNS}
        if unknown:
            fields["extra"] = _maps(unknown)
        tasks.extend(map(Task, *(fields.get(name, repeat(None)) for name in Task._fields)))
    return tuple(tasks)


def _maps(columns: Mapping[str, Sequence[int]]) -> list[dict[str, int]]:
    """Columns -> one mapping a row."""
    names = tuple(columns)
    return [dict(zip(names, parts, strict=True)) for parts in zip(*columns.values(), strict=True)]


def _victims(builder: Builder, tasks: tuple[Task, ...]) -> tuple[Victim, ...]:
    victims = builder.victims
    told = builder.summary or builder.chosen
    if not victims and told is not None and builder.panic is None and builder.not_killed is None:
        victims = [told]  # the kill follows at once in the kernel; only its line is lost
    rows = {task.pid: task for task in reversed(tasks)}
    chosen = builder.chosen
    done: list[Victim] = []
    for victim in victims:
        row = rows.get(victim.pid) if victim.pid is not None else None
        summary = builder.summary if builder.summary is not None and builder.summary.pid == victim.pid else None
        why = victim.why
        score = victim.score
        if chosen is not None and chosen.pid is not None and why == "chosen" and victim.pid != chosen.pid:
            why = "child"
        elif chosen is not None and victim.pid == chosen.pid:
            score = chosen.score
        done.append(
            replace(
                victim,
                tgid=row.tgid if row is not None else None,
                uid=_first(victim.uid, summary.uid if summary else None, row.uid if row else None),
                oom_score_adj=_first(victim.oom_score_adj, row.oom_score_adj if row else None),
                pgtables_bytes=_first(victim.pgtables_bytes, row.pgtables_bytes if row else None),
                swap_bytes=row.swap_bytes if row is not None else None,
                score=score,
                reaped=builder.reaped.get(victim.pid) if victim.pid is not None else None,
                why=why,
            )
        )
    return tuple(done)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _scope(builder: Builder) -> Scope:
    prefix = builder.message_prefix or ""
    if builder.oom_memcg is not None or prefix.startswith("Memory cgroup"):
        return Scope.MEMCG
    if builder.constraint is not None:
        return _SCOPES.get(builder.constraint, Scope.GLOBAL if builder.global_oom else Scope.UNKNOWN)
    if "usage_bytes" in builder.usage or builder.stats_path is not None or builder.group is not None:
        return Scope.MEMCG
    if any("mem_cgroup_out_of_memory" in frame or "mem_cgroup_oom" in frame for frame in builder.trace):
        return Scope.MEMCG
    nodes = builder.nodemask
    bound = builder.policy or (
        nodes not in (None, "", "(null)") and builder.mems_allowed is not None and nodes != builder.mems_allowed
    )
    if "MPOL_BIND" in prefix or bound:
        return Scope.MEMPOLICY
    panic = builder.panic or ""
    if "compulsory" in panic and not builder.trace and not builder.no_killable:
        return Scope.UNKNOWN  # vm.panic_on_oom=2 panics in every scope; nothing printed tells which it was
    if prefix.startswith("Out of memory") or panic:
        return Scope.MEMCG if "memcg" in panic else Scope.GLOBAL
    if (
        builder.pages
        or builder.zones
        or builder.no_killable
        or (builder.invoker is not None and builder.invoker.order is not None)
    ):
        return Scope.GLOBAL
    return Scope.UNKNOWN


def _outcome(builder: Builder, victims: tuple[Victim, ...]) -> Outcome:
    if victims:
        return Outcome.KILLED
    if builder.panic is not None:
        return Outcome.PANIC
    if builder.no_killable:
        return Outcome.NO_KILLABLE_PROCESS
    if builder.not_killed is not None:
        return Outcome.NOT_KILLED
    return Outcome.UNKNOWN


def _trigger(builder: Builder) -> Trigger | None:
    invoker = builder.invoker
    frames = " ".join(builder.trace)
    if builder.sysrq or "moom_callback" in (builder.workqueue or "") or "moom_callback" in frames:
        return Trigger.SYSRQ
    if invoker is None:
        return None
    if invoker.order == -1:
        return Trigger.SYSRQ
    if (invoker.gfp_mask == 0 and invoker.order == 0) or "pagefault_out_of_memory" in frames:
        return Trigger.PAGEFAULT
    return Trigger.ALLOCATION if invoker.gfp_mask is not None else None


def _invoker(builder: Builder) -> Invoker | None:
    invoker = builder.invoker
    if invoker is not None and invoker.pid is None and "invoker" in builder.sections:
        invoker = replace(invoker, pid=_caller_pid(builder.caller))
    if invoker is None or invoker.gfp_mask is None:
        return invoker
    return replace(
        invoker, gfp_flags=decode_gfp(invoker.gfp_mask, builder.gfp_names, builder.release), nodemask=builder.nodemask
    )


def _caller_pid(caller: str | None) -> int | None:
    # The head is printed by the invoker: printk's caller id "T<pid>" is its pid (kernel/printk/printk.c print_caller).
    return int(caller[1:]) if caller is not None and caller[:1] == "T" and caller[1:].isdigit() else None


def _memcg(builder: Builder) -> Memcg | None:
    if not (builder.usage or builder.stats or builder.protection or builder.stats_path):
        return None
    return Memcg(
        usage_bytes=builder.usage.get("usage_bytes"),
        limit_bytes=builder.usage.get("limit_bytes"),
        failcnt=builder.usage.get("failcnt"),
        swap_usage_bytes=builder.usage.get("swap_usage_bytes"),
        swap_limit_bytes=builder.usage.get("swap_limit_bytes"),
        swap_failcnt=builder.usage.get("swap_failcnt"),
        memsw_usage_bytes=builder.usage.get("memsw_usage_bytes"),
        memsw_limit_bytes=builder.usage.get("memsw_limit_bytes"),
        memsw_failcnt=builder.usage.get("memsw_failcnt"),
        kmem_usage_bytes=builder.usage.get("kmem_usage_bytes"),
        kmem_limit_bytes=builder.usage.get("kmem_limit_bytes"),
        kmem_failcnt=builder.usage.get("kmem_failcnt"),
        unlimited=frozenset(builder.unlimited),
        stats_path=builder.stats_path,
        stats=builder.stats,
        child_stats=builder.child_stats,
        protection=builder.protection,
    )


def _memory(builder: Builder, page_size: int | None) -> Memory | None:
    if not (builder.pages or builder.sizes or builder.zones or builder.nodes or builder.hugepages or builder.slabs):
        return None
    counters: dict[str, int] = dict(builder.sizes)
    for printed, pages in builder.pages.items():
        name = _COUNTER_ALIASES.get(printed, printed)
        if page_size is not None:
            counters[f"{name}_bytes"] = pages * page_size
        if page_size is None or name == "ram":
            counters[f"{name}_pages"] = pages
    return Memory(
        counters=counters,
        page_size=page_size,
        nodes=tuple(_node(draft) for draft in builder.nodes),
        zones=tuple(_zone(draft) for draft in builder.zones),
        hugepages=tuple(builder.hugepages),
        unreclaimable_slab=tuple(builder.slabs),
        allocations=tuple(builder.allocations),
    )


def _node(draft: NodeDraft) -> Node:
    return Node(draft.node, draft.counters, draft.all_unreclaimable)


def _zone(draft: ZoneDraft) -> Zone:
    return Zone(
        node=draft.node,
        name=draft.name,
        counters=draft.counters,
        all_unreclaimable=draft.all_unreclaimable,
        lowmem_reserve_pages=draft.lowmem_reserve_pages,
        buddy=draft.buddy,
        buddy_types=draft.buddy_types,
        buddy_total_bytes=draft.buddy_total_bytes,
    )


def _memory_is_whole(builder: Builder) -> bool:
    return "active_anon" in builder.pages and bool(builder.zones)


def _complete(builder: Builder, scope: Scope, memory: Memory | None, memcg: Memcg | None) -> bool:
    if builder.invoker is None or builder.invoker.gfp_mask is None or not builder.decided or builder.bad_rows:
        return False
    if any(gap.why in ("elided-by-editor", "line-cut") for gap in builder.gaps):
        return False
    if (
        builder.panic is None
        and not builder.no_killable
        and not (builder.victims and builder.victims[0].pid is not None)
    ):
        return False
    if scope is Scope.MEMCG:
        return (memcg is not None and memcg.usage_bytes is not None) or (
            memory is not None and _memory_is_whole(builder)
        )
    return memory is not None and _memory_is_whole(builder)


def _gaps(
    builder: Builder,
    scope: Scope,
    memory: Memory | None,
    memcg: Memcg | None,
    page_size: int | None,
    victims: tuple[Victim, ...],
) -> list[Gap]:
    gaps: list[Gap] = []
    lone = (
        builder.decided and "invoker" not in builder.sections and not builder.rows and memory is None and memcg is None
    )
    lost = "rate-limited-or-lost" if lone else "lost"
    if builder.invoker is None or builder.invoker.gfp_mask is None:
        gaps.append(Gap("invoker", lost, builder.first.line))
    if scope is Scope.MEMCG:
        if memcg is None or memcg.usage_bytes is None:
            gaps.append(Gap("memcg", lost))
    elif memory is None:
        gaps.append(Gap("memory", lost))
    elif not _memory_is_whole(builder):
        gaps.append(Gap("memory", "part-lost"))
    if not builder.rows:
        gaps.append(Gap("tasks", "rate-limited-or-lost" if lone else "not-printed-or-lost"))
    elif builder.columns is None:
        gaps.append(Gap("tasks", "table-header-lost"))
    gaps.extend(Gap("tasks", "row-damaged", line) for line in builder.bad_rows)
    if not builder.decided:
        gaps.append(Gap("verdict", "lost", builder.span[1]))
    elif victims and not builder.victims:
        gaps.append(Gap("victims", "kill-line-lost", victims[0].line))
    if page_size is None and (builder.rows or builder.pages):
        gaps.append(Gap("page_size", "not-implied-by-report"))
    return gaps
