"""`oomlens record show`: what a history holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from oomlens.i18n import Translate
from oomlens.model.history import History, HistoryFile, Kill
from oomlens.model.history_series import host_series
from oomlens.render.columns import aligned
from oomlens.render.gaps import gap_lines
from oomlens.render.sanitize import visible
from oomlens.render.sentences import duration
from oomlens.render.sizes import size
from oomlens.render.sparkline import sparkline

_MOST_KILLS = 20
_COLUMNS = 60


def render(history: History, tr: Translate, *, now_seconds: float) -> str:
    """The page as text."""
    return "\n".join(_lines(history, tr, now_seconds)) + "\n"


def moment(seconds: float) -> str:
    """A time of the epoch in the local zone, to the second."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return f"@{seconds:.0f}"


def _lines(history: History, tr: Translate, now: float) -> Iterator[str]:
    held = sum(file.size_bytes for file in history.files)
    yield tr("{folder}: {size} in {count} files").format(
        folder=visible(history.folder), size=size(held), count=len(history.files)
    )
    samples = history.samples
    if not samples:
        yield tr("there is no sample in it yet")
    else:
        first, last = samples[0].time_seconds, samples[-1].time_seconds
        yield tr("{count} samples from {first} to {last} ({span}); the last one {ago} ago").format(
            count=len(samples), first=moment(first), last=moment(last), span=duration(max(last - first, 0.0)),
            ago=duration(max(now - last, 0.0)),
        )  # fmt: skip
        yield from _machine(history.files, tr)
        available = host_series(samples, "available_bytes")
        total = max((sample.host.total_bytes or 0 for sample in samples), default=0)
        if available and total:
            lowest = min(available, key=lambda point: point.value)
            yield ""
            yield tr("available, of {total}").format(total=size(total))
            yield f"  {sparkline(available, first, last, min(_COLUMNS, len(samples)), top=total)}"
            yield "  " + tr("lowest: {size} at {time}").format(
                size=size(int(lowest.value)), time=moment(lowest.time_seconds)
            )
    yield ""
    yield from _kills(history.kills, tr)
    damaged = [visible(file.name) for file in history.files if file.damage not in (None, "cut-short")]
    if damaged:
        yield ""
        yield tr("damaged, read as far as possible: {names}").format(names=", ".join(damaged))
    yield from gap_lines([gap for gap in history.gaps if gap.what.removeprefix("history: ") not in damaged], tr)


def _machine(files: Sequence[HistoryFile], tr: Translate) -> Iterator[str]:
    begins = [file.begin for file in files if file.begin is not None]
    hosts = dict.fromkeys(visible(f"{one.host or '?'} (Linux {one.kernel_release or '?'})") for one in begins)
    boots = len({one.boot_id for one in begins if one.boot_id is not None})
    yield tr("of {hosts}; boots: {boots}").format(hosts=", ".join(hosts) or "?", boots=boots or "?")


def _kills(kills: Sequence[Kill], tr: Translate) -> Iterator[str]:
    if not kills:
        yield tr("no kill was recorded")
        return
    yield tr("{count} kills were recorded").format(count=sum(kill.count for kill in kills))
    head = (tr("ID"), tr("TIME"), tr("VICTIM"), tr("SIZE"), tr("CGROUP"), tr("CONTAINER"), tr("SEEN BY"))
    rows = [_kill_row(kill) for kill in kills[-_MOST_KILLS:]]
    yield from aligned([head, *rows], right=[3], indent="  ")
    yield "  " + tr("oomlens diagnose --incident ID shows one with its past")


def _kill_row(kill: Kill) -> tuple[str, ...]:
    report = kill.report
    label = next((label for _, label in kill.labels), None)
    named = " ".join(part for part in (label.pod_path, label.name) if part) if label is not None else ""
    if report is None:
        gone = kill.gone[0] if kill.gone else None
        who = f"{visible(gone.comm)}[{gone.pid}]?" if gone is not None else f"{kill.count} x ?"
        path = kill.cgroups[-1].path if kill.cgroups else ""
        held = size(gone.held_bytes) if gone is not None else "?"
        return "-", moment(kill.time_seconds), who, held, visible(path) or "-", visible(named) or "-", kill.seen_by
    victim = report.victims[0] if report.victims else None
    who = f"{visible(victim.comm or '?')}[{victim.pid}]" if victim is not None else "-"
    parts = (victim.anon_rss_bytes, victim.file_rss_bytes, victim.shmem_rss_bytes) if victim is not None else ()
    rss = sum(part for part in parts if part is not None) if any(part is not None for part in parts) else None
    path = report.oom_memcg or report.task_memcg or "-"
    cells = report.id, moment(kill.time_seconds), who, size(rss), visible(path), visible(named) or "-"
    return (*cells, kill.seen_by)
