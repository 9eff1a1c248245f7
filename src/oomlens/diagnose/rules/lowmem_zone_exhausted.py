"""The zone that the request had to be served from was empty while another had plenty."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.diagnose.figures import Figures, eligible_zones, reserved_bytes, usable_free_bytes
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Scope, Trigger, Zone

_NEAR_MIN = 1.15
_AMPLE_SHARE = 0.08


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (
        (report.scope in (Scope.MEMCG, Scope.CPUSET, Scope.MEMPOLICY))
        or report.trigger is Trigger.SYSRQ
        or report.kind is not Kind.KERNEL
    ):
        return ruled_out(Evidence("scope", report.scope.value, None, message("not the machine's zones")))
    memory = report.memory
    if memory is None or not memory.zones:
        return undecided("memory.zones")
    zones = eligible_zones(report)
    if not zones:
        return undecided("invoker.gfp_mask")
    marked = [zone for zone in zones if zone.counters.get("min_bytes") and "free_bytes" in zone.counters]
    if not marked:
        return undecided("memory.zones.min_bytes")
    serving = [zone for zone in marked if zone.name != "DMA"] or marked
    short = all(
        (usable_free_bytes(zone) or 0)
        <= _NEAR_MIN * zone.counters["min_bytes"] + reserved_bytes(zone, zones[-1], memory.page_size)
        for zone in serving
    )
    inside = sum(usable_free_bytes(zone) or 0 for zone in marked)
    free = figures.get("free_bytes")
    if free is None:
        return _alone(figures, serving) if short else undecided("memory.free_bytes")
    outside = free - inside
    share = figures.part(outside)
    told = f"free {free} - free in the usable zones {inside} = {outside}"
    evidence = Evidence(
        "free_bytes outside the usable zones",
        outside,
        "bytes",
        told if share is None else f"{told}: {share:.2f} of RAM",
        report.lines.get("memory.free"),
    )
    if not short or share is None or share < _AMPLE_SHARE or outside < inside:
        return ruled_out(evidence)
    zone = serving[-1]
    line = report.lines.get(
        f"memory.zones.{zone.name}" if zone.node is None else f"memory.zones.{zone.node}.{zone.name}"
    )
    return found(
        evidence,
        Evidence(
            f"zone {zone.name} free_bytes",
            zone.counters["free_bytes"],
            "bytes",
            f"free {zone.counters['free_bytes']} <= {_NEAR_MIN} * min {zone.counters['min_bytes']} + reserve",
            line,
        ),
        confidence=0.9,
        weight=0.97,
        remedies=("use-64-bit-kernel", "raise-min-free", "inspect-slab"),
        zone=zone.name,
        free_bytes=zone.counters["free_bytes"],
        min_bytes=zone.counters["min_bytes"],
        outside_bytes=outside,
    )


def _all_zones(figures: Figures) -> Sequence[Zone]:
    return figures.report.memory.zones if figures.report.memory is not None else ()


def _alone(figures: Figures, zones: Sequence[Zone]) -> Outcome:
    """Only the low zones are shown: a 32-bit machine (Normal below 896 MiB) with its file cache not reclaimable."""
    normal = next((zone for zone in zones if zone.name == "Normal"), None)
    managed = (
        normal.counters.get("managed_bytes") or normal.counters.get("present_bytes") if normal is not None else None
    )
    if (
        normal is None
        or managed is None
        or managed > 900 << 20
        or any(zone.name == "DMA32" for zone in _all_zones(figures))
    ):
        return undecided("memory.free_bytes")
    line = figures.report.lines.get("memory.zones.Normal")
    return found(
        Evidence(
            "zone Normal free_bytes",
            normal.counters["free_bytes"],
            "bytes",
            f"free <= min {normal.counters['min_bytes']}; managed {managed} <= 900 MiB",
            line,
        ),
        confidence=0.6,
        weight=0.7,
        remedies=("use-64-bit-kernel", "raise-min-free"),
        explanation=_ALONE,
        zone="Normal",
        free_bytes=normal.counters["free_bytes"],
        min_bytes=normal.counters["min_bytes"],
    )


_ALONE = message(
    "Zone {zone} had {free_bytes} free, at its min watermark of {min_bytes}. On a 32-bit kernel only this zone"
    " serves the kernel's own requests, however much RAM is above it."
)

RULE = Rule(
    id="lowmem-zone-exhausted",
    code="OOM109",
    rank=1,
    check=check,
    title=message("The zone for this request is empty, others are not"),
    explanation=message(
        "Zone {zone} had only {free_bytes} free (min {min_bytes}), while {outside_bytes} were free in zones"
        " that this request may not use (HighMem, Movable, CMA)."
    ),
    related=("memory-fragmented", "kernel-slab-growth", "cpuset-or-numa-bound"),
)
