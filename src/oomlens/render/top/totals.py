"""RAM, swap and pressure, each with its recent past."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import Translate
from oomlens.model.snapshot import HostMemory
from oomlens.predict.view import View
from oomlens.predict.watch import Watch
from oomlens.render.gaps import reasons
from oomlens.render.sanitize import visible, width
from oomlens.render.sizes import short_size
from oomlens.render.status import duration
from oomlens.render.top.styled import Line, Span, Tone, bar, cell, line_width, sparkline
from oomlens.render.top.words import about, percent

_FULL_SHARE, _HIGH_SHARE = 0.95, 0.85
_STALLED_PERCENT, _STALLING_PERCENT = 10.0, 1.0
_LEAST_STALL_RANGE = 10.0
_LEAST_SHARE_RANGE = 0.05


def header_line(
    view: View, tr: Translate, columns: int, *, every: float, clock: str, paused: bool, graph_seconds: float
) -> Line:
    """Which machine, since when, how often it is read, how much time the graphs show, and the time."""
    host = view.snapshot.host
    parts = [visible(host.name or "?"), f"Linux {visible(host.kernel_release or '?')}"]
    if host.uptime_seconds is not None:
        parts.append(tr("up {time}").format(time=duration(host.uptime_seconds)))
    state = tr("paused") if paused else tr("every {seconds} s").format(seconds=f"{every:g}")
    graphs = tr("graphs {time}").format(time=about(graph_seconds))
    right = f"{state}  {graphs}  {clock}"
    left = cell(f"oomlens top  {'  '.join(parts)}", max(0, columns - width(right) - 1))
    return (Span(f"{left} ", Tone.STRONG), Span(right, Tone.WARN if paused else Tone.DIM))


def totals_lines(view: View, watch: Watch, tr: Translate, columns: int, span_seconds: float) -> list[Line]:
    """Three lines: RAM, swap, pressure."""
    host = view.snapshot.host
    graph = max(12, min(60, columns - 62))
    ram = host.meminfo.get("mem_total_bytes")
    swap = host.meminfo.get("swap_total_bytes")
    lines = (
        (_ram(host, tr), "ram_used_bytes", _LEAST_SHARE_RANGE * (ram or 1)),
        (_swap(view, tr), "swap_used_bytes", _LEAST_SHARE_RANGE * (swap or 1)),
        (_pressure(view, tr), "some_percent", _LEAST_STALL_RANGE),
    )
    return [
        _with_graph(tuple(spans), sparkline(watch.host[name].buckets(view.at, span_seconds, graph), least), columns)
        for spans, name, least in lines
    ]


def _with_graph(line: Line, graph: str, columns: int) -> Line:
    room = columns - len(graph) - 1
    used = line_width(line)
    if used <= room:
        return (*line, Span(" " * (room - used + 1)), Span(graph, Tone.DIM))
    fitted: list[Span] = []
    left = room
    for span in line:
        fitted.append(span._replace(text=cell(span.text, min(left, width(span.text)))))
        left -= width(fitted[-1].text)
        if left <= 0:
            break
    return (*fitted, Span(" "), Span(graph, Tone.DIM))


def _level(share: float | None) -> Tone:
    if share is None:
        return Tone.DIM
    return Tone.BAD if share >= _FULL_SHARE else Tone.WARN if share >= _HIGH_SHARE else Tone.GOOD


def _gauge(title: str, used: int | None, total: int | None, tr: Translate) -> Iterator[Span]:
    share = None if used is None or not total else used / total
    yield Span(cell(title, 9), Tone.STRONG)
    told = tr("{used} of {total}").format(used=short_size(used), total=short_size(total))
    yield Span(cell(told, 16))
    yield Span(f"{percent(share):>5} {bar(share, 10)}", _level(share))


def _ram(host: HostMemory, tr: Translate) -> Iterator[Span]:
    total, available = host.meminfo.get("mem_total_bytes"), host.meminfo.get("mem_available_bytes")
    used = None if total is None or available is None else total - available
    yield from _gauge("RAM", used, total, tr)
    yield Span("  " + tr("available {bytes}").format(bytes=short_size(available)))


def _swap(view: View, tr: Translate) -> Iterator[Span]:
    host = view.snapshot.host
    total, free = host.meminfo.get("swap_total_bytes"), host.meminfo.get("swap_free_bytes")
    if total == 0:
        yield Span(cell(tr("swap"), 9), Tone.STRONG)
        yield Span(tr("none: the first shortage is a kill"), Tone.WARN)
        return
    yield from _gauge(tr("swap"), None if total is None or free is None else total - free, total, tr)
    data = sum(zram.data_bytes for zram in host.zrams or ())
    if data:
        packed = sum(zram.used_bytes for zram in host.zrams or ())
        yield Span("  " + tr("zram {data} in {used}").format(data=short_size(data), used=short_size(packed)))
    rates = view.rates
    if rates.swap_in_bytes is not None and rates.swap_out_bytes is not None:
        moving = rates.swap_in_bytes + rates.swap_out_bytes > 0
        told = tr("in {into}/s out {out}/s").format(
            into=short_size(rates.swap_in_bytes), out=short_size(rates.swap_out_bytes)
        )
        yield Span("  " + told, Tone.WARN if moving else Tone.DIM)


def _pressure(view: View, tr: Translate) -> Iterator[Span]:
    yield Span(cell(tr("stalled"), 9), Tone.STRONG)
    pressure = view.snapshot.host.pressure.get("memory")
    if pressure is None or pressure.some is None:
        why = next((gap.why for gap in view.snapshot.gaps if gap.what == "pressure.memory"), "not-provided")
        yield Span("? ", Tone.DIM)
        yield Span(tr("pressure: {why}").format(why=reasons(tr).get(why, why)), Tone.DIM)
        return
    some, full = view.rates.some_percent, view.rates.full_percent
    if some is None:
        some, full = pressure.some.avg10_percent, pressure.full.avg10_percent if pressure.full else None
    worst = max(some, full or 0.0)
    tone = Tone.BAD if worst >= _STALLED_PERCENT else Tone.WARN if worst >= _STALLING_PERCENT else Tone.GOOD
    shown = "?" if full is None else f"{full:.1f}"
    yield Span(tr("some {some} % full {full} %").format(some=f"{some:.1f}", full=shown), tone)
    yield Span("  " + tr("last minute {percent} %").format(percent=f"{pressure.some.avg60_percent:.1f}"), Tone.DIM)
