"""The guard's words and figures as people read them; names of processes and cgroups made safe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from oomlens.i18n import Translate
from oomlens.model.guard_event import Bound, Candidate
from oomlens.render.columns import shortened
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size

_MOST_NAME_COLUMNS = 120


def name(text: str | None) -> str:
    """A foreign name: safe, and not longer than a line."""
    return shortened(visible(text), _MOST_NAME_COLUMNS) if text else "?"


def moment(seconds: float | None) -> str:
    """A time of the epoch in the local zone, to the millisecond."""
    if seconds is None:
        return "?"
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"@{seconds:.3f}"


def span(seconds: float | None) -> str:
    """`3 ms`, `2.0 s`, `45 s`, `12 min`."""
    if seconds is None:
        return "?"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    if abs(seconds) < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if abs(seconds) < 120 else f"{seconds / 60:.0f} min"


def kilobytes(value: float | None) -> str:
    """An amount that was given in kB."""
    return "?" if value is None else size(round(value) * 1024)


def rate(kb_per_second: float | None) -> str:
    """`+120 MiB/s`."""
    if kb_per_second is None:
        return "?"
    return f"{'+' if kb_per_second > 0 else ''}{kilobytes(kb_per_second)}/s"


def figure(of: str, value: float | None) -> str:
    """A value by the unit that its name ends with."""
    if value is None:
        return "?"
    if of.endswith("_kb_per_second"):
        return rate(value)
    if of.endswith("_kb"):
        return kilobytes(value)
    if of.endswith("_per_second"):
        return f"{value:.1f}/s" if value < 10 else f"{value:.0f}/s"
    if "seconds" in of:
        return span(value)
    if of.endswith("_percent"):
        return f"{value:.0f} %"
    if "stall" in of or of.endswith(("_fraction", "_share")):
        return f"{value * 100:.0f} %"
    return f"{value:g}"


def comparison(bound: Bound, tr: Translate) -> str:
    """`available 45 MiB <= 46 MiB`; a name that has no words stays as it is."""
    return " ".join(
        (
            figure_name(bound.name, tr),
            figure(bound.name, bound.value),
            visible(bound.comparison)[:8],
            figure(bound.name, bound.bound),
        )
    )


def figure_name(of: str, tr: Translate) -> str:
    """What a figure is called."""
    words = {
        "available_kb": tr("available"),
        "total_kb": tr("total"),
        "swap_free_kb": tr("free swap"),
        "swap_total_kb": tr("swap"),
        "fill_kb_per_second": tr("fills by"),
        "seconds_left": tr("time left"),
        "refaults_per_second": tr("file refaults"),
        "stall": tr("stalled"),
    }
    return words.get(of) or name(of)


def road(of: str | None, tr: Translate) -> str:
    """Why it acted."""
    words = {
        "exhaustion": tr("memory runs out"),
        "thrash": tr("the machine thrashes"),
        "harm": tr("others are harmed"),
    }
    return words.get(of or "") or name(of)


def called(who: Candidate | None) -> str:
    """`leak[1234]`."""
    return "?" if who is None else f"{name(who.comm)}[{'?' if who.pid is None else who.pid}]"


def points(value: float | None) -> str:
    """Points of a ranking."""
    return "?" if value is None else f"{value:.0f}"


def pairs(values: Mapping[str, float], names: tuple[str, ...], tr: Translate) -> str:
    """Those figures of a sample that are known, as `available 45 MiB, fills by +225 MiB/s`."""
    return ", ".join(f"{figure_name(of, tr)} {figure(of, values[of])}" for of in names if of in values)
