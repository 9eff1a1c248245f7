"""The past of an incident in words: how it grew, what began just before, what else grew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from oomlens.i18n import Translate, message
from oomlens.model.past import Curve, Past, Shape
from oomlens.render.sanitize import fit, visible, width
from oomlens.render.sentences import duration, evidence_line, sentence
from oomlens.render.sizes import size
from oomlens.render.sparkline import sparkline

Json = dict[str, Any]
Escape = Callable[[str], str]
_COLUMNS = 40
_DRAWN = 400  # points of a drawing

_SHAPES = {
    Shape.LEAK: message(
        "{name} grew steadily from {first_bytes} to {last_bytes} within {span_seconds}: a leak, or a load that only grows."
    ),
    Shape.BURST: message(
        "{name} got most of its {last_bytes} within {lately_seconds}: a burst (one request, one job, one large file), not a slow leak."
    ),
    Shape.GROWTH: message(
        "{name} grew from {first_bytes} to {last_bytes} within {span_seconds}: not steadily for long enough to call it a leak,"
        " and not at once."
    ),
    Shape.LEVEL: message("{name} held about {last_bytes} for {span_seconds}: it did not grow before the kill."),
    Shape.FALL: message("{name} held less in the end ({last_bytes}) than before ({first_bytes})."),
    Shape.UNKNOWN: message("The history does not tell how {name} grew: {reason}."),
}
_REASONS = {
    "too-few-samples": message("too few samples"),
    "span-too-short": message("it was not recorded for long enough"),
    "holes-in-the-history": message("the history has holes"),
    "not-recorded": message("it was not among the largest processes in any sample"),
}


def curve_name(curve: Curve, tr: Translate) -> str:
    """The process, the cgroup, or the machine."""
    return tr("the machine") if curve.subject == "machine" else visible(curve.name)


def sentences(past: Past, tr: Translate, escape: Escape = visible) -> Iterator[str]:
    """What each curve looks like; of the machine only where the victim and its cgroup are not known."""
    told = [curve for curve in past.curves if curve.subject != "machine"]
    yield from (shape_sentence(curve, tr, escape) for curve in told or past.curves)


def shape_sentence(curve: Curve, tr: Translate, escape: Escape = visible) -> str:
    """What the curve looks like."""
    first, last = (curve.points[0], curve.points[-1]) if curve.points else (None, None)
    lately = next((one for one in curve.evidence if one.unit == "seconds"), None)
    values = {
        "name": tr("The machine") if curve.subject == "machine" else curve_name(curve, tr),
        "first_bytes": int(first.value) if first is not None else None,
        "last_bytes": int(last.value) if last is not None else None,
        "span_seconds": curve.span_seconds,
        "lately_seconds": lately.value if lately is not None and isinstance(lately.value, float) else 60.0,
        "reason": tr(_REASONS.get(curve.reason or "", curve.reason or "?")),
    }
    return sentence(_SHAPES[curve.shape], values, tr, escape)


def rate(curve: Curve) -> str:
    """`+1.2 GiB/h`, empty where there is no trend."""
    if curve.bytes_per_second is None or curve.shape in (Shape.LEVEL, Shape.UNKNOWN):
        return ""
    an_hour = round(curve.bytes_per_second * 3600)
    return f"{'+' if an_hour >= 0 else ''}{size(an_hour)}/h"


def facts(past: Past, tr: Translate) -> Iterator[str]:
    """What was recorded, as sentences: how close, containers, what began, what grew."""
    yield tr("{count} samples; the last one {seconds} before the kill").format(
        count=past.samples, seconds=duration(past.before_seconds)
    )
    for path, name in past.containers:
        yield tr("{path} was the container {name}").format(path=visible(path), name=visible(name))
    for one in past.started:
        told = tr("{process} had begun {seconds} before and held {size} ({cgroup})")
        yield told.format(
            process=f"{visible(one.comm)}[{one.pid}]", seconds=duration(one.seconds_before), size=size(one.held_bytes),
            cgroup=visible(one.cgroup or "?"),
        )  # fmt: skip
    for each in past.growers:
        told = tr("{name} grew by {grown} to {size} in the last {seconds}")
        yield told.format(
            name=visible(each.name), grown=size(each.grown_bytes), size=size(each.held_bytes), seconds=duration(each.seconds)
        )  # fmt: skip


def lines(past: Past, tr: Translate) -> Iterator[str]:
    """The section of the page in the terminal, without the sentences of `shape_sentence`."""
    curves = [curve for curve in past.curves if len(curve.points) > 1]
    if curves:
        begin = min(curve.points[0].time_seconds for curve in curves)
        names = [curve_name(curve, tr) for curve in curves]
        columns = min(max(width(name) for name in names), 40)
        for curve, name in zip(curves, names, strict=True):
            drawn = sparkline(curve.points, begin, past.kill_seconds, _COLUMNS)
            span = f"{size(int(curve.points[0].value))} → {size(int(curve.points[-1].value))}"
            top = " " + tr("of {size}").format(size=size(curve.top_bytes)) if curve.top_bytes is not None else ""
            yield f"  {fit(name, columns)}  {fit(drawn, _COLUMNS)}  {span}{top}  {rate(curve)}".rstrip()
        yield "  " + tr("from {seconds} before the kill to the kill").format(
            seconds=duration(past.kill_seconds - begin)
        )
    for curve in past.curves[:2]:
        for evidence in curve.evidence:
            yield f"      - {curve_name(curve, tr)}: {evidence_line(evidence, tr)}"
    yield from (f"  {line}" for line in facts(past, tr))


def drawing(past: Past, tr: Translate) -> list[Json]:
    """The curves for the page in a browser: a path in a box of 1000 by 160, with words that say the same."""
    curves = [curve for curve in past.curves if len(curve.points) > 1]
    if not curves:
        return []
    begin = min(curve.points[0].time_seconds for curve in curves)
    span = max(past.kill_seconds - begin, 1e-9)
    drawn = []
    for curve in curves:
        top = max([*(point.value for point in curve.points), curve.top_bytes or 0, 1])
        step = max(1, -(-len(curve.points) // _DRAWN))
        points = [*curve.points[:-1:step], curve.points[-1]]
        path = " ".join(
            f"{1000 * max(0.0, point.time_seconds - begin) / span:.1f},{160 - 150 * max(point.value, 0) / top:.1f}" for point in points
        )  # fmt: skip
        limit = 160 - 150 * curve.top_bytes / top if curve.top_bytes is not None else None
        drawn.append(
            {
                "name": curve_name(curve, tr),
                "told": shape_sentence(curve, tr),
                "path": path,
                "limit": round(limit, 1) if limit is not None else None,
                "top": size(curve.top_bytes) if curve.top_bytes is not None else "",
                "first": size(int(curve.points[0].value)),
                "last": size(int(curve.points[-1].value)),
                "ago": duration(span),
                "rate": rate(curve),
                "evidence": [evidence_line(one, tr) for one in curve.evidence],
            }
        )
    return drawn
