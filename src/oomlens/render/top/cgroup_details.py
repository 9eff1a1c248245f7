"""All about one cgroup: limits, events, what its memory is, who is in it and who would be killed."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import Translate
from oomlens.predict.scopes import ancestors
from oomlens.predict.view import CgroupRow, View
from oomlens.predict.watch import Watch
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size
from oomlens.render.top.details import growth_line, limit_text, scope_lines, titled
from oomlens.render.top.styled import Line, Span, Tone
from oomlens.render.top.words import cgroup_name, person

_MOST_PROCESSES = 10
# memory.stat: what the memory of a cgroup is, in the names of both versions.
_KINDS = (
    "anon", "rss", "file", "cache", "shmem", "file_mapped", "mapped_file", "slab_reclaimable", "slab_unreclaimable",
    "kernel_stack", "pagetables", "sock", "zswap", "unevictable",
)  # fmt: skip


def cgroup_lines(row: CgroupRow, view: View, watch: Watch, tr: Translate, columns: int) -> list[Line]:
    """The details of a cgroup."""
    usage = row.usage
    return [
        (Span(cgroup_name(usage.names, usage.path), Tone.HEAD),),
        *titled(tr("path"), visible(usage.path), columns),
        *titled(tr("limit"), limit_text(row, tr), columns),
        *_limits(row, tr, columns),
        growth_line(row.growth, watch.cgroups.get(usage.path), view.at, tr, columns),
        *_kinds(row, tr, columns),
        *_events(row, tr, columns),
        *_next(row, view, tr, columns),
        *_members(row, view, tr, columns),
    ]


def _limits(row: CgroupRow, tr: Translate, columns: int) -> Iterator[Line]:
    usage = row.usage
    if row.inherited and usage.effective_max_bytes is not None:
        above = visible(usage.effective_max_path or "?")
        told = tr("{limit} by {path} above it").format(limit=size(usage.effective_max_bytes), path=above)
        yield from titled("", told, columns)
    named = (
        ("memory.high", usage.high_bytes, "high"), ("memory.swap.max", usage.swap_max_bytes, "swap"),
        ("memory.memsw.limit_in_bytes", usage.memsw_max_bytes, "memsw"),
    )  # fmt: skip
    parts = [f"{name} {size(amount)}" for name, amount, _ in named if amount is not None]
    unlimited, peak, swap = tr("unlimited"), tr("peak"), tr("swap")
    parts += [f"{name} {unlimited}" for name, _, word in named if word in usage.unlimited]
    parts += [f"{peak} {size(usage.peak_bytes)}", f"{swap} {size(usage.swap_current_bytes)}"]
    yield from titled("", ", ".join(parts), columns, Tone.DIM)
    if usage.oom_group:
        yield from titled("", tr("memory.oom.group: all of it is killed together"), columns, Tone.WARN)
    if usage.oom_kill_disabled:
        yield from titled("", tr("oom_kill_disable: its processes stand still at the limit"), columns, Tone.WARN)


def _kinds(row: CgroupRow, tr: Translate, columns: int) -> Iterator[Line]:
    prefix = "total_" if row.usage.version == 1 else ""
    amounts = [(kind, row.usage.stat.get(f"{prefix}{kind}", row.usage.stat.get(kind))) for kind in _KINDS]
    known = [(kind, amount) for kind, amount in amounts if amount]
    shown = ", ".join(f"{kind} {size(amount)}" for kind, amount in known)
    nothing = tr("nothing") if row.usage.stat else tr("? (memory.stat could not be read)")
    yield from titled(tr("holds"), shown or nothing, columns)


def _events(row: CgroupRow, tr: Translate, columns: int) -> Iterator[Line]:
    events = ", ".join(f"{visible(name)} {count}" for name, count in row.usage.events.items())
    yield from titled(
        tr("events"), events or "?", columns, Tone.BAD if row.usage.events.get("oom_kill") else Tone.PLAIN
    )
    stalls = row.usage.pressure
    if stalls is not None and stalls.some is not None and stalls.full is not None:
        told = tr("some {some} % full {full} %").format(
            some=f"{stalls.some.avg10_percent:.1f}", full=f"{stalls.full.avg10_percent:.1f}"
        )
        yield from titled(tr("stalled"), f"{told} (10 s)", columns)


def _next(row: CgroupRow, view: View, tr: Translate, columns: int) -> Iterator[Line]:
    scope = next((each for each in view.scopes if each.prediction.path == row.usage.path), None)
    if scope is None:
        return
    if scope.victim is not None:
        told = f"{person(scope.victim.comm, scope.victim.pid)} {size(scope.victim.points_bytes)}"
        yield from titled(tr("next victim"), told, columns, Tone.STRONG)
    yield from scope_lines(scope, tr, columns)


def _members(row: CgroupRow, view: View, tr: Translate, columns: int) -> Iterator[Line]:
    """The largest processes in it and below."""
    inside = [each for each in view.processes if row.usage.path in ancestors(each.process.cgroup)]
    inside.sort(key=lambda each: each.process.rss_bytes or 0, reverse=True)
    title = tr("processes")
    for each in inside[:_MOST_PROCESSES]:
        told = f"{size(each.process.rss_bytes):>9}  {person(each.process.comm, each.process.pid)}"
        yield from titled(title, told, columns)
        title = ""
    if len(inside) > _MOST_PROCESSES:
        yield from titled("", tr("and {count} more").format(count=len(inside) - _MOST_PROCESSES), columns, Tone.DIM)
    if not inside:
        yield from titled(title, tr("none"), columns, Tone.DIM)
