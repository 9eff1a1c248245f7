"""All about one process: what it holds, how it grows, why the kernel would or would not choose it, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oomlens.i18n import Translate
from oomlens.model.prediction import Suspect
from oomlens.model.snapshot import Process
from oomlens.predict.scopes import ancestors
from oomlens.predict.series import Series
from oomlens.predict.view import CgroupRow, ProcessRow, ScopeRow, View
from oomlens.predict.watch import RATE_SECONDS, Watch, identity
from oomlens.render.columns import shortened
from oomlens.render.prediction import texts, warn_text
from oomlens.render.sanitize import fit, visible, width
from oomlens.render.sizes import size
from oomlens.render.status import command, duration, user
from oomlens.render.top.processes import growth_tone
from oomlens.render.top.styled import Line, Span, Tone, sparkline, wrapped
from oomlens.render.top.words import about, cgroup_name, eta_text, percent, person, scope_name, urgency

_NAME_COLUMNS = 12
_COMMAND_LINES = 2
_LEAST_GROWTH_RANGE = 1 << 20


def titled(title: str, text: str, columns: int, tone: Tone = Tone.PLAIN) -> Iterator[Line]:
    """A name and its value; a long value goes on below."""
    for number, line in enumerate(wrapped(text, max(20, columns - _NAME_COLUMNS))):
        name = fit(title, _NAME_COLUMNS - 1) + " " if number == 0 else " " * _NAME_COLUMNS
        yield (Span(name, Tone.DIM), *(span._replace(tone=tone) for span in line))


def states(tr: Translate) -> dict[str, str]:
    """proc(5): the states that a process may be in."""
    return {
        "D": tr("waits without being interruptible"),
        "I": tr("idle"),
        "R": tr("runs"),
        "S": tr("sleeps"),
        "T": tr("stopped"),
        "Z": tr("has ended (zombie)"),
    }


def process_lines(
    row: ProcessRow, view: View, watch: Watch, tr: Translate, columns: int, users: Mapping[int, str]
) -> list[Line]:
    """The details of a process."""
    process = row.process
    return [
        (Span(person(process.comm, process.pid), Tone.HEAD),),
        *titled(tr("command"), shortened(command(process), _COMMAND_LINES * max(20, columns - 16)), columns),
        *_life(row, view, tr, columns, users),
        *_memory(row, tr, columns),
        growth_line(row.growth, watch.processes.get(identity(process)), view.at, tr, columns),
        *_why(row, tr, columns),
        *_next(row, view, tr, columns),
        *_limits(process.cgroup, view, tr, columns),
        *_whole_command(process, tr, columns),
    ]


def _whole_command(process: Process, tr: Translate, columns: int) -> Iterator[Line]:
    """At the end, where it is too long for the beginning; those of Java are."""
    whole = command(process)
    if width(whole) > _COMMAND_LINES * max(20, columns - 16):
        yield from titled(tr("command"), whole, columns)


def _life(row: ProcessRow, view: View, tr: Translate, columns: int, users: Mapping[int, str]) -> Iterator[Line]:
    process, uptime = row.process, view.snapshot.host.uptime_seconds
    age = "?" if uptime is None else duration(max(0.0, uptime - process.started_uptime_seconds))
    parts = (
        states(tr).get(process.state, visible(process.state)),
        tr("user {name}").format(name=user(process, users)),
        tr("for {time}").format(time=age),
        tr("{count} threads").format(count=process.threads),
        tr("parent {pid}").format(pid=process.ppid),
    )
    yield from titled(tr("status"), ", ".join(parts), columns)


def _memory(row: ProcessRow, tr: Translate, columns: int) -> Iterator[Line]:
    process = row.process
    kinds = (("anon", process.rss_anon_bytes), ("file", process.rss_file_bytes), ("shmem", process.rss_shmem_bytes))
    split = ", ".join(f"{name} {size(amount)}" for name, amount in kinds)
    pss = size(process.pss_bytes) if process.pss_bytes is not None else tr("? (not read, or only root may)")
    yield from titled("RSS", f"{size(process.rss_bytes)} ({split}), PSS {pss}", columns)
    parts = (
        (tr("swap"), process.swap_bytes), (tr("page tables"), process.pgtables_bytes),
        (tr("locked"), process.locked_bytes), (tr("virtual size"), process.total_vm_bytes),
    )  # fmt: skip
    yield from titled(tr("besides"), ", ".join(f"{name} {size(amount)}" for name, amount in parts), columns)


def _signed(per_second: float | None) -> str:
    if per_second is None:
        return "?"
    return ("+" if round(per_second) > 0 else "") + size(round(per_second))


def growth_line(per_second: float | None, series: Series | None, at: float, tr: Translate, columns: int) -> Line:
    """The rate, and the past as a graph with its length."""
    lately = series.latest(RATE_SECONDS, 2) if series is not None else []
    span = lately[-1][0] - lately[0][0] if len(lately) > 1 else RATE_SECONDS
    told = tr("{bytes}/s in the last {time}").format(bytes=_signed(per_second), time=about(span))
    spans = [Span(fit(tr("growth"), _NAME_COLUMNS - 1) + " ", Tone.DIM), Span(told, growth_tone(per_second))]
    points = series.since(0) if series is not None else []
    if len(points) > 1:
        length = max(1.0, at - points[0][0])
        graph = max(8, min(40, columns - _NAME_COLUMNS - width(told) - 34))
        low, high = min(value for _, value in points), max(value for _, value in points)
        values = series.buckets(at, length, graph) if series is not None else []
        note = tr("{low} to {high} in {time}").format(low=size(round(low)), high=size(round(high)), time=about(length))
        spans += [Span(f"  {sparkline(values, _LEAST_GROWTH_RANGE)}  ", Tone.DIM), Span(note)]
    return tuple(spans)


def _why(row: ProcessRow, tr: Translate, columns: int) -> Iterator[Line]:
    process, suspect = row.process, row.suspect
    if row.spared is not None:
        why = {
            "init": tr("never chosen: it is the init of the machine"),
            "oom-score-adj-minimum": tr("never chosen: its oom_score_adj is -1000"),
        }.get(row.spared, row.spared)
        yield from titled(tr("badness"), why, columns)
    elif suspect is None:
        yield from titled(tr("badness"), tr("never chosen: it has no memory of its own"), columns)
    else:
        behind = (
            tr("the next victim") if suspect.behind_bytes == 0
            else tr("number {place}, {bytes} behind the first").format(place=row.place, bytes=size(suspect.behind_bytes))
        )  # fmt: skip
        yield from titled(tr("badness"), f"{size(suspect.points_bytes)}: {behind}", columns)
        yield from titled("", _arithmetic(suspect, tr), columns, Tone.DIM)
    score = "?" if process.oom_score is None else str(process.oom_score)
    adj = "?" if process.oom_score_adj is None else str(process.oom_score_adj)
    yield from titled("", f"oom_score {score}, oom_score_adj {adj}", columns, Tone.DIM)


def _arithmetic(suspect: Suspect, tr: Translate) -> str:
    if suspect.points_bytes is None:
        return tr("not all numbers that the kernel compares could be read")
    return visible(suspect.why)


def _next(row: ProcessRow, view: View, tr: Translate, columns: int) -> Iterator[Line]:
    scopes = [scope for scope in view.scopes if scope.prediction.path in row.next_in]
    for scope in scopes:
        yield from scope_lines(scope, tr, columns)


def scope_lines(scope: ScopeRow, tr: Translate, columns: int) -> Iterator[Line]:
    """A scope of which something is the next victim: how far off, and what to know about it."""
    left = tr("{bytes} left").format(bytes=size(scope.prediction.distance_bytes))
    when = eta_text(scope.eta, tr)
    told = f"{scope_name(scope.prediction, tr)}: {left}{', ' + when if when else ''}"
    yield from titled(tr("next in"), told, columns, urgency(scope))
    for warn in scope.prediction.warnings:
        yield from titled("", "! " + warn_text(warn, texts(tr), tr), columns, Tone.WARN)


def _limits(path: str | None, view: View, tr: Translate, columns: int) -> Iterator[Line]:
    """The cgroup and everything above it."""
    rows = {row.usage.path: row for row in view.cgroups}
    known = [rows[each] for each in ancestors(path) if each in rows]
    yield from titled("cgroup", visible(path or "?"), columns)
    for row in known:
        yield from titled("", limit_text(row, tr), columns, Tone.PLAIN if row.usage.max_bytes else Tone.DIM)
    if path is not None and not known:
        yield from titled("", tr("it cannot be seen from here, nor can its limits"), columns, Tone.WARN)


def limit_text(row: CgroupRow, tr: Translate) -> str:
    """One line about a cgroup's use and limit."""
    usage = row.usage
    name = cgroup_name(usage.names, usage.path)
    if usage.max_bytes is None:
        none = tr("no limit of its own") if "memory" in usage.unlimited or row.depth == 0 else tr("limit unknown")
        return f"{name}: {size(usage.current_bytes)}, {none}"
    told = tr("{name}: {used} of {limit} ({share}), {held} held, {left} left")
    return told.format(
        name=name, used=size(usage.current_bytes), limit=size(usage.max_bytes), share=percent(row.share),
        held=size(row.held_bytes), left=size(row.left_bytes),
    )  # fmt: skip
