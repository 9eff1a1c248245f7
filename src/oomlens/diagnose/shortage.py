"""Whether there was a shortage at all, and of what: rules about memory ask this first."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures, eligible_zones, reserved_bytes, usable_free_bytes
from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.report import Kind, Outcome, Report, Scope, Trigger

# An order-0 request fails only near the min watermark; far above the high one nothing was short.
_AMPLE_HIGH_WATERMARKS = 4
# Without watermarks: this part of the RAM free is no shortage for a request of one page.
_AMPLE_SHARE = 0.25


def no_shortage(figures: Figures) -> Evidence | None:
    """The evidence that memory was not short, whatever was killed; None where it was, or where nothing tells."""
    report = figures.report
    if report.kind is Kind.APPLICATION:
        return Evidence(
            "kind",
            report.kind.value,
            None,
            message("a program's own limit; nobody was killed"),
            report.origin.first_line,
        )
    if report.trigger is Trigger.SYSRQ:
        return Evidence(
            "trigger", "sysrq", None, message("order == -1: asked for by hand"), report.lines.get("invoker")
        )
    if report.scope in (Scope.CPUSET, Scope.MEMPOLICY):
        where = report.lines.get("constraint") or report.lines.get("cpuset")
        return Evidence("constraint", report.constraint, None, message("only some memory nodes were allowed"), where)
    if report.scope is Scope.MEMCG:
        return None
    return ample_free(figures)


def ample_free(figures: Figures) -> Evidence | None:
    """Free memory far above the watermarks in a zone that could serve a request of one page."""
    report = figures.report
    order = report.invoker.order if report.invoker is not None else None
    if order is None or order > 0 or report.memory is None:
        return None
    zones = eligible_zones(report)
    for zone in zones:
        free, high = usable_free_bytes(zone), zone.counters.get("high_bytes")
        low = zone.counters.get("low_bytes")
        mark = high if high is not None else low
        if free is None or not mark or zone.name == "DMA":
            continue
        reserve = reserved_bytes(zone, zones[-1], report.memory.page_size)
        if free > _AMPLE_HIGH_WATERMARKS * (mark + reserve):
            where = report.lines.get(
                f"memory.zones.{zone.name}" if zone.node is None else f"memory.zones.{zone.node}.{zone.name}"
            )
            told = f"free {free} > {_AMPLE_HIGH_WATERMARKS} * (high {mark} + reserve {reserve})"
            return Evidence(f"zone {zone.name} free_bytes", free, "bytes", told, where)
    zones_known = any(zone.counters.get("min_bytes") for zone in report.memory.zones)
    free_share = figures.share("free_bytes")
    cma = figures.get("free_cma_bytes") or 0
    if not zones_known and free_share is not None and figures.part(cma) is not None:
        usable = free_share - (figures.part(cma) or 0.0)
        if usable > _AMPLE_SHARE:
            return figures.share_evidence("free_bytes", ">", _AMPLE_SHARE)
    return None


def ran_out_of_ram(report: Report) -> bool:
    """The whole machine, not a cgroup or some nodes."""
    return report.kind is Kind.KERNEL and report.scope is Scope.GLOBAL and report.outcome is not Outcome.NOT_KILLED
