"""`scan --show ID`: the whole decoded report as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oomlens.i18n import Translate
from oomlens.model.report import Memcg, Memory, Report, Task, Zone
from oomlens.render import facts, table
from oomlens.render.sanitize import fit, visible, width
from oomlens.render.sizes import size

_UNITS = {"": "memory", "swap_": "swap", "memsw_": "memory+swap", "kmem_": "kmem"}


def render(report: Report, tr: Translate) -> str:
    """All sections, those that are not there with the reason."""
    lines: list[str] = []
    for title, body in _sections(report, tr):
        block = list(body)
        if block:
            lines += ["", title, *(f"  {line}" for line in block)] if title else block
    return "\n".join(lines) + "\n"


def _sections(report: Report, tr: Translate) -> Iterator[tuple[str, Iterable[str]]]:
    yield "", _headline(report, tr)
    yield tr("Killed"), _victims(report, tr)
    yield tr("Asked for memory"), _invoker(report, tr)
    if report.memcg is not None:
        yield tr("Memory cgroup"), _memcg(report.memcg, tr)
    if report.balance:
        yield tr("Where the RAM went"), _balance(report, tr)
    if report.memory is not None:
        yield tr("Zones (free against watermarks)"), _zones(report.memory, tr)
        yield tr("Swap"), _swap(report.memory)
        yield tr("Huge pages"), _hugepages(report.memory)
        yield tr("Unreclaimable slab, largest first"), _slabs(report.memory)
    yield tr("Processes, largest first"), _tasks(report, tr)
    yield tr("Stack of the allocation"), (visible(frame) for frame in report.trace)
    yield tr("Also said"), (visible(notice) for notice in report.notices)
    yield tr("Details"), (f"{visible(key)}: {visible(value)}" for key, value in report.details.items())
    yield tr("Not in the log"), _gaps(report)


def _headline(report: Report, tr: Translate) -> Iterator[str]:
    yield f"{report.id}  {table.when(report)}  {facts.who(report, tr)}  {facts.cause_line(report, tr)}"
    for name, value in (
        (tr("host"), report.host),
        (tr("kernel"), report.kernel_release),
        (tr("hardware"), report.hardware),
        (tr("decided by"), report.killer),
        (tr("scope"), facts.where(report, tr)),
        (tr("constraint"), report.constraint),
        (tr("limit of"), report.oom_memcg),
        (tr("victim in"), report.task_memcg),
        (tr("killed whole"), report.oom_group),
        (tr("message"), report.message),
    ):
        if value is not None:
            yield f"{fit(name, 12)} {visible(value)}"
    for origin in (report.origin, *report.also_in):
        source = tr("{source}, lines {first} to {last} ({envelope})").format(
            source=visible(origin.source),
            first=origin.first_line,
            last=origin.last_line,
            envelope=origin.envelope or tr("plain"),
        )
        yield f"{fit(tr('read from'), 12)} {source}"


def _victims(report: Report, tr: Translate) -> Iterator[str]:
    for victim in report.victims:
        parts = [
            f"{visible(victim.comm or '?')}[{victim.pid if victim.pid is not None else '?'}]",
            f"uid {victim.uid}" if victim.uid is not None else "",
            f"anon {size(victim.anon_rss_bytes)}" if victim.anon_rss_bytes is not None else "",
            f"file {size(victim.file_rss_bytes)}" if victim.file_rss_bytes is not None else "",
            f"shmem {size(victim.shmem_rss_bytes)}" if victim.shmem_rss_bytes is not None else "",
            f"swap {size(victim.swap_bytes)}" if victim.swap_bytes else "",
            f"vm {size(victim.total_vm_bytes)}" if victim.total_vm_bytes is not None else "",
            f"pgtables {size(victim.pgtables_bytes)}" if victim.pgtables_bytes is not None else "",
            f"oom_score_adj {victim.oom_score_adj}" if victim.oom_score_adj is not None else "",
            f"score {victim.score}" if victim.score is not None else "",
            victim.why if victim.why not in (None, "chosen") else "",
            {True: tr("reaped"), False: tr("could not be reaped"), None: ""}[victim.reaped],
        ]
        yield "  ".join(part for part in parts if part)


def _invoker(report: Report, tr: Translate) -> Iterator[str]:
    invoker = report.invoker
    if invoker is None:
        return
    yield f"{visible(invoker.comm or '?')}[{invoker.pid if invoker.pid is not None else '?'}]"
    if invoker.gfp_mask is not None:
        yield f"gfp_mask {invoker.gfp_mask:#x}  {' | '.join(invoker.gfp_flags or ()) or tr('(names unknown)')}"
    if invoker.order is not None:
        pages = (
            tr("by hand")
            if invoker.order < 0
            else tr("{count} pages in a row").format(count=1 << min(invoker.order, 20))
        )
        yield f"order {invoker.order}  ({pages})"
    if invoker.oom_score_adj is not None:
        yield f"oom_score_adj {invoker.oom_score_adj}"


def _memcg(memcg: Memcg, tr: Translate) -> Iterator[str]:
    for prefix, name in _UNITS.items():
        usage, limit = getattr(memcg, f"{prefix}usage_bytes"), getattr(memcg, f"{prefix}limit_bytes")
        if usage is None:
            continue
        unlimited = (prefix.rstrip("_") or "memory") in memcg.unlimited
        shown = tr("unlimited") if unlimited else size(limit)
        share = f"  {100 * usage / limit:.0f} %" if limit else ""
        failcnt = getattr(memcg, f"{prefix}failcnt")
        yield f"{fit(name, 12)} {size(usage):>10} / {shown}{share}  failcnt {failcnt}"
    stats = sorted(memcg.stats.items(), key=lambda item: -item[1])
    sizes = [
        (name, value)
        for name, value in stats
        if value and not name.startswith(("pg", "workingset", "thp", "numa", "nr_"))
    ]
    for name, value in sizes[:12]:
        yield f"{fit(visible(name), 24)} {size(value):>10}"


def _balance(report: Report, tr: Translate) -> Iterator[str]:
    shares = report.balance or ()
    total = sum(share.bytes for share in shares) or 1
    for share in sorted(shares, key=lambda part: -part.bytes):
        part = 100 * share.bytes / total
        yield f"{fit(share.name, 20)} {size(share.bytes):>10}  {part:5.1f} %  {'#' * round(part / 2.5)}"
    yield f"{fit(tr('usable RAM'), 20)} {size(total):>10}"


def _zones(memory: Memory, tr: Translate) -> Iterator[str]:
    for zone in memory.zones:
        name = zone.name if zone.node is None else f"{zone.node}/{zone.name}"
        free, low = zone.counters.get("free_bytes"), zone.counters.get("min_bytes")
        marks = "  ".join(f"{mark} {size(zone.counters.get(f'{mark}_bytes'))}" for mark in ("min", "low", "high"))
        verdict = "" if free is None or low is None else (tr("below min") if free < low else "")
        yield f"{fit(visible(name), 12)} free {size(free):>10}  {marks}  {verdict}".rstrip()
        if zone.buddy:
            yield f"{'':12} {_blocks(zone)}"


def _blocks(zone: Zone) -> str:
    counts = zone.buddy or {}
    return "orders " + " ".join(f"{order}:{count}" for order, count in sorted(counts.items()))


def _swap(memory: Memory) -> Iterator[str]:
    total, free = memory.get("swap_total_bytes"), memory.get("swap_free_bytes")
    if total is not None:
        yield f"total {size(total)}  free {size(free)}"


def _hugepages(memory: Memory) -> Iterator[str]:
    for pool in memory.hugepages:
        if pool.total:
            yield f"node {pool.node if pool.node is not None else '-'}  {pool.total} x {size(pool.size_bytes)}  free {pool.free}"


def _slabs(memory: Memory) -> Iterator[str]:
    for slab in sorted(memory.unreclaimable_slab, key=lambda part: -part.total_bytes)[:15]:
        yield f"{fit(visible(slab.name), 24)} {size(slab.used_bytes):>10} / {size(slab.total_bytes)}"


def _weight(task: Task) -> int:
    pages = task.pages or {}
    return (task.rss_bytes or 0) + (task.swap_bytes or 0) + pages.get("rss", 0) + pages.get("swapents", 0)


def _tasks(report: Report, tr: Translate) -> Iterator[str]:
    if not report.tasks:
        return
    killed = {victim.pid for victim in report.victims}
    names = ("PID", "UID", "RSS", "SWAP", "VM", "PGTABLES", "ADJ", "NAME")
    rows = [names]
    for task in sorted(report.tasks, key=_weight, reverse=True):
        pages = task.pages or {}
        rss = size(task.rss_bytes) if task.rss_bytes is not None else f"{pages.get('rss', '?')} p"
        rows.append(
            (
                f"{'*' if task.pid in killed else ''}{task.pid}",
                str(task.uid if task.uid is not None else "?"),
                rss,
                size(task.swap_bytes, "-"),
                size(task.total_vm_bytes, "-"),
                size(task.pgtables_bytes, "-"),
                str(task.oom_score_adj if task.oom_score_adj is not None else "-"),
                visible(task.comm),
            )
        )
    widths = [max(width(cells[column]) for cells in rows) for column in range(len(names))]
    for cells in rows:
        yield "  ".join(
            [*(f"{cell:>{columns}}" for cell, columns in zip(cells[:-1], widths[:-1], strict=True)), cells[-1]]
        )
    yield tr("{count} processes; * was killed").format(count=len(report.tasks))


def _gaps(report: Report) -> Iterator[str]:
    for gap in report.gaps:
        yield f"{visible(gap.what)}: {gap.why}" + (f" (line {gap.line})" if gap.line is not None else "")
