"""Plain `oomlens`: the short answer for this machine in one screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli.incidents import diagnosed
from oomlens.cli.reading import Reading
from oomlens.cli.terminal import colour
from oomlens.i18n import Translate
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.model.finding import Diagnosis
    from oomlens.model.report import Report
    from oomlens.model.snapshot import HostMemory, Snapshot

_COLUMNS = 80


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Kills found, the latest one diagnosed, memory now, who is next, what to do."""
    from oomlens.host.read.snapshot import read_snapshot

    asked = argparse.Namespace(
        sources=[], root=Path("/"), no_progress=False, quiet=True, exit_code=False, lang=args.lang
    )
    reading = Reading(asked, tr)
    reports, diagnosis, _ = diagnosed(reading, None, tr)
    bold = colour("auto")
    blocks = [_kills(reports, reading, tr)]
    if diagnosis is not None:
        from oomlens.render.diagnosis import short

        blocks.append((tr("The latest one"), short(diagnosis, tr, _COLUMNS)))
    snapshot = read_snapshot()
    blocks.append((tr("Memory now"), list(_memory(snapshot, tr))))
    blocks.append((tr("What next"), list(_next(diagnosis, tr))))
    for number, (title, lines) in enumerate(blocks):
        sys.stdout.write(("\n" if number else "") + (f"\x1b[1m{title}\x1b[0m" if bold else title) + "\n")
        sys.stdout.write("".join(f"  {line}\n" for line in lines))
    return reading.code(found=False)


def _kills(reports: Sequence[Report], reading: Reading, tr: Translate) -> tuple[str, list[str]]:
    from oomlens.diagnose.series import all_series
    from oomlens.model.report import Kind
    from oomlens.render.diagnosis import series_lines

    looked = tr("looked at: {names}").format(names=", ".join(reading.read) or tr("nothing that could be read"))
    kills = [report for report in reports if report.kind in (Kind.KERNEL, Kind.USERSPACE)]
    if not kills:
        return tr("No out-of-memory kill in the logs of this machine"), [looked]
    told = [line.strip() for line in series_lines(all_series(kills), tr)][:4]
    return tr("{count} out-of-memory kills in the logs of this machine").format(count=len(kills)), [looked, *told]


def _memory(snapshot: Snapshot, tr: Translate) -> Iterator[str]:
    from oomlens.predict import predict

    host = snapshot.host
    total, available = host.meminfo.get("mem_total_bytes"), host.meminfo.get("mem_available_bytes")
    share = f" ({100 * available / total:.0f} %)" if total and available is not None else ""
    yield tr("{available} of {total} available{share}; swap: {free} of {swap} free").format(
        available=size(available),
        total=size(total),
        share=share,
        free=size(host.meminfo.get("swap_free_bytes")),
        swap=size(host.meminfo.get("swap_total_bytes")),
    )
    if (stalled := _stalled(host)) is not None:
        yield tr("tasks stood still for memory {percent} % of the last minute").format(percent=f"{stalled:.1f}")
    if host.oom_kills:
        yield tr("{count} kills since boot, by the kernel's counter").format(count=host.oom_kills)
    scopes = predict(snapshot)
    for scope in sorted(scopes, key=lambda one: one.distance_bytes if one.distance_bytes is not None else 1 << 62)[:2]:
        first = scope.candidates[0] if scope.candidates else None
        if first is None or scope.distance_bytes is None:
            continue
        yield tr("next in {scope}: {name} after {distance} more").format(
            scope=visible(scope.path or tr("the machine")), name=f"{visible(first.comm)}[{first.pid}]", distance=size(max(scope.distance_bytes, 0))
        )  # fmt: skip


def _stalled(host: HostMemory) -> float | None:
    pressure = host.pressure.get("memory")
    return pressure.some.avg60_percent if pressure is not None and pressure.some is not None else None


def _next(diagnosis: Diagnosis | None, tr: Translate) -> Iterator[str]:
    if diagnosis is None:
        yield f"oomlens status     {tr('memory now, limits and risky settings')}"
        yield f"oomlens predict    {tr('whom the kernel would kill next, and how far off that is')}"
        yield f"oomlens scan FILE  {tr('the kills that another log or archive holds')}"
        return
    for advice in diagnosis.advice[:2]:
        command = next(
            (line for line in advice.commands if not line.startswith("#") and ("sudo" in line or "=" in line)),
            advice.commands[0],
        )
        yield f"{tr(advice.title)}: {visible(command)}"
    yield f"oomlens plan        {tr('that as a change with its undo, sized and shown before anything is done')}"
    yield f"oomlens diagnose    {tr('the whole page: why, what would have been enough, what to do')}"
    yield f"oomlens scan        {tr('every kill that the logs hold')}"
