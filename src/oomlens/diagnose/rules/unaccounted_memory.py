"""Memory that no counter shows: drivers, balloon, ZFS ARC, GPU, pipes; or memory set aside at boot."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Kind, Scope, Trigger
from oomlens.model.report import Outcome as ReportOutcome

_LARGE = 0.2
# What a kernel keeps for itself at boot: its image and a description of every page.
_BOOT_BYTES = 48 << 20
_BOOT_SHARE = 0.03
_EXCESS = 0.1
_TINY_VICTIM_BYTES = 24 << 20
_SMALL_ADJ = 200


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    if report.scope is Scope.MEMCG:
        return ruled_out(Evidence("scope", "memcg", None, message("a cgroup is charged for what it uses")))
    reserved = _reserved(figures)
    if reserved is not None:
        return reserved
    share = figures.share("unaccounted_bytes")
    if share is None:
        return _by_victim(incident, figures)
    if share < _LARGE:
        return ruled_out(figures.share_evidence("unaccounted_bytes", "<", _LARGE))
    return found(
        figures.share_evidence("unaccounted_bytes", ">=", _LARGE),
        confidence=0.85,
        weight=min(share + 0.1, 0.95),
        remedies=("inspect-unaccounted", "limit-zfs-arc"),
        rest_bytes=figures.get("unaccounted_bytes"),
        rest_share=share,
    )


def _reserved(figures: Figures) -> Outcome | None:
    """Pages that the kernel does not manage: a balloon driver's among them."""
    reserved, ram = figures.get("reserved_bytes"), figures.get("ram_bytes")
    if reserved is None or not ram:
        return None
    excess = reserved - _BOOT_BYTES - int(ram * _BOOT_SHARE)
    if excess < _EXCESS * ram:
        return None
    part = reserved / ram
    return found(
        figures.evidence(
            "reserved_bytes", f"reserved {reserved} / RAM {ram} = {part:.2f}; {excess} more than a kernel keeps at boot"
        ),
        confidence=0.75,
        weight=min(part + 0.1, 0.9) if part > 0.3 else part,
        remedies=("inspect-unaccounted", "add-ram"),
        explanation=_BALLOON,
        rest_bytes=reserved,
        ram_bytes=ram,
    )


def _by_victim(incident: Incident, figures: Figures) -> Outcome:
    """Only the kill is known. The kernel takes the largest process: if that was tiny, processes did not hold the memory."""
    report = incident.report
    victims = report.victims
    held = victims[0].anon_rss_bytes if victims else None
    ordinary = (
        report.outcome is ReportOutcome.KILLED
        and report.scope is Scope.GLOBAL
        and report.kind is Kind.KERNEL
        and report.trigger is not Trigger.PAGEFAULT
    )
    if (
        held is None
        or not ordinary
        or figures.has("anon_bytes")
        or (victims[0].oom_score_adj or 0) > _SMALL_ADJ
        or held > _TINY_VICTIM_BYTES
    ):
        return undecided("memory")
    return found(
        Evidence(
            "victim anon_rss_bytes",
            held,
            "bytes",
            f"{held} <= {_TINY_VICTIM_BYTES}",
            victims[0].line,
        ),
        confidence=0.5,
        weight=0.4,
        remedies=("inspect-slab", "inspect-unaccounted", "find-oom-log"),
        explanation=_TINY,
        victim=victims[0].comm,
        held_bytes=held,
    )


_BALLOON = message(
    "{rest_bytes} of {ram_bytes} RAM are not the kernel's to give: taken back by the hypervisor (balloon), or"
    " reserved at boot (crash kernel, huge pages, firmware)."
)
_TINY = message(
    "The kernel takes the largest process, and {victim} held only {held_bytes}: the memory is not in"
    " processes. Look at kernel memory (slab, drivers), shared memory and huge pages."
)

RULE = Rule(
    id="unaccounted-memory",
    code="OOM121",
    rank=11,
    check=check,
    title=message("Memory that no counter shows"),
    explanation=message(
        "{rest_bytes} ({rest_share} of RAM) appear in no counter: drivers, GPU, ZFS ARC, network buffers,"
        " pipes, or a leak of pages in the kernel. No process owns them."
    ),
    related=("kernel-slab-growth", "hugepages-reserved", "victim-not-culprit"),
)
