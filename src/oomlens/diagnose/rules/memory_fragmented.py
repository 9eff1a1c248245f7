"""A block of several pages in a row was asked for, and no zone had one, though pages were free."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures, eligible_zones, has_block
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Scope, Trigger

# Free memory above this many min watermarks is enough for single pages.
_AMPLE = 1.8
_SMALL_ANON = 0.3


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    order = report.invoker.order if report.invoker is not None else None
    if report.scope is Scope.MEMCG:
        return ruled_out(
            Evidence(
                "constraint",
                report.constraint,
                None,
                message("a cgroup limit counts pages, not blocks"),
                report.lines.get("constraint"),
            )
        )
    if report.trigger is Trigger.SYSRQ or report.kind is not Kind.KERNEL:
        return ruled_out(Evidence("trigger", report.trigger))
    if order is None:
        return undecided("invoker.order")
    line = report.lines.get("invoker")
    if order <= 0:
        return ruled_out(Evidence("order", order, "count", message("order == 0: a single page was asked for"), line))
    asked = Evidence("order", order, "count", f"2^{order} = {1 << order} pages", line)
    zones = [zone for zone in eligible_zones(report) if zone.counters.get("min_bytes")]
    ample = (
        [
            zone
            for zone in zones
            if zone.counters["free_bytes"] > _AMPLE * zone.counters["min_bytes"] and zone.name != "DMA"
        ]
        if all("free_bytes" in zone.counters for zone in zones)
        else []
    )
    for zone in ample:
        if has_block(zone, order) is False or zone.buddy is None:
            where = report.lines.get(
                f"memory.zones.{zone.name}" if zone.node is None else f"memory.zones.{zone.node}.{zone.name}"
            )
            free, least = zone.counters["free_bytes"], zone.counters["min_bytes"]
            return found(
                asked,
                Evidence(
                    f"zone {zone.name} free_bytes",
                    free,
                    "bytes",
                    f"free {free} > {_AMPLE} * min {least}; blocks of order >= {order}: 0",
                    where,
                ),
                confidence=0.95 if zone.buddy is not None else 0.7,
                weight=0.95 if zone.buddy is not None else 0.8,
                remedies=("compact-memory", "raise-min-free", "drop-caches"),
                order=order,
                pages=1 << order,
                zone=zone.name,
                free_bytes=free,
            )
    anon, slab = figures.share("anon_bytes"), figures.share("slab_unreclaimable_bytes")
    if zones and not ample:
        free = sum(zone.counters.get("free_bytes", 0) for zone in zones)
        return ruled_out(
            asked,
            Evidence(
                "free_bytes",
                free,
                "bytes",
                message("every zone for the request is near its min watermark: single pages were short too"),
            ),
        )
    if anon is not None and anon > _SMALL_ANON:
        return ruled_out(asked, figures.share_evidence("anon_bytes", ">", _SMALL_ANON))
    weak = 0.35 if slab is not None and slab > 0.2 else 0.6
    return found(
        asked,
        confidence=0.6,
        weight=weak,
        remedies=("compact-memory", "raise-min-free"),
        explanation=_NO_ZONES,
        order=order,
        pages=1 << order,
    )


_NO_ZONES = message(
    "A request for {pages} pages in a row (order {order}) could not be served. The log does not show the"
    " zones' free blocks; with orders above 0 the usual reason is that free memory is in pieces."
)

RULE = Rule(
    id="memory-fragmented",
    code="OOM108",
    rank=2,
    check=check,
    title=message("Free memory is in pieces (fragmentation)"),
    explanation=message(
        "A request for {pages} pages in a row (order {order}) failed although zone {zone} had {free_bytes}"
        " free: none of its free blocks was large enough."
    ),
    related=("reclaim-failed", "lowmem-zone-exhausted", "kernel-slab-growth"),
)
