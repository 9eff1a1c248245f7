"""Shared memory: files in tmpfs, System V segments, memfd, GPU buffers; or files in ramfs."""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.outcomes import found, ruled_out, undecided
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.shortage import no_shortage
from oomlens.i18n import message
from oomlens.model.finding import Evidence, Incident, Outcome
from oomlens.model.report import Report, Scope

_LARGE = 0.25
_RAMFS = 0.2
_MAIN = 0.6
_ONE_MAPS = 0.6


def check(incident: Incident, figures: Figures) -> Outcome:
    report = incident.report
    if (why := no_shortage(figures)) is not None:
        return ruled_out(why)
    name = "memcg.shmem_bytes" if report.scope is Scope.MEMCG else "shmem_bytes"
    share = figures.share(name)
    pinned = _ramfs_bytes(figures)
    ramfs = figures.part(pinned)
    if pinned is not None and ramfs is not None and ramfs >= _RAMFS:
        return found(
            Evidence(
                "unevictable_bytes - mlocked_bytes",
                pinned,
                "bytes",
                f"{ramfs:.2f} of RAM >= {_RAMFS}",
                report.lines.get("memory.unevictable"),
            ),
            confidence=0.85,
            weight=min(ramfs + 0.3, 0.95),
            remedies=("clean-tmpfs", "limit-tmpfs"),
            explanation=_RAMFS_TEXT,
            held_bytes=pinned,
        )
    if share is None and any(frame.startswith(("shmem_", "? shmem_")) or " shmem_" in frame for frame in report.trace):
        return found(
            Evidence(
                "trace",
                "shmem_",
                None,
                message("the page that could not be had was for shared memory"),
                report.lines.get("trace"),
            ),
            confidence=0.5,
            weight=0.45,
            remedies=("clean-tmpfs", "limit-tmpfs"),
            explanation=_TRACE,
        )
    if share is None:
        return undecided("memcg.stats" if report.scope is Scope.MEMCG else "memory.shmem_bytes")
    if share < _LARGE:
        return ruled_out(figures.share_evidence(name, "<", _LARGE))
    size = figures.get(name) or 0
    process, mapped = _mapper(report)
    # Mapped by one process, it is that process's memory under another name; it goes when the process goes.
    own = mapped >= _ONE_MAPS * size > 0
    weight = (0.99 if share >= _MAIN else 0.9) if report.scope is Scope.MEMCG else min(share + 0.2, 0.95)
    return found(
        figures.share_evidence(name, ">=", _LARGE),
        confidence=0.9,
        weight=min(share, weight) - 0.1 if own else weight,
        remedies=("find-leak", "limit-tmpfs", "clean-tmpfs") if own else ("clean-tmpfs", "limit-tmpfs", "remove-ipc"),
        explanation=_MAPPED if own else None,
        shmem_bytes=figures.get(name),
        shmem_share=share,
        process=process,
        mapped_bytes=mapped,
    )


def _mapper(report: Report) -> tuple[str | None, int]:
    """The process that maps most shared memory, by the table (6.8 on) or by the kill line, and how much: bytes."""
    mapped = [(task.rss_shmem_bytes or 0, task.comm) for task in report.tasks]
    mapped += [(victim.shmem_rss_bytes or 0, victim.comm or "?") for victim in report.victims]
    size, comm = max(mapped, default=(0, None))
    return comm, size


def _ramfs_bytes(figures: Figures) -> int | None:
    """Pages that cannot be reclaimed and that nobody has locked: files in ramfs, or a device's."""
    if figures.report.scope is Scope.MEMCG or not figures.has("unevictable_bytes", "mlocked_bytes", "file_bytes"):
        return None
    loose = figures.values["unevictable_bytes"] - figures.values["mlocked_bytes"]
    # Unevictable shared memory (GPU objects) is counted with the shared memory.
    return min(loose - figures.values.get("shmem_bytes", 0), figures.values["file_bytes"])


_MAPPED = message(
    "Shared memory took {shmem_bytes} ({shmem_share}), most of it mapped by {process} ({mapped_bytes}): memory that it shares"
    " (mmap, System V, memfd) and that goes when its last user ends."
)
_TRACE = message(
    "The page that could not be had was for shared memory (tmpfs or a System V segment); the log does not show"
    " how much there was."
)
_RAMFS_TEXT = message(
    "{held_bytes} of file pages can neither be written out nor dropped and nobody has locked them: files in"
    " ramfs (or an unpacked initramfs). They stay until they are removed."
)

RULE = Rule(
    id="shmem-growth",
    code="OOM111",
    rank=6,
    check=check,
    title=message("Shared memory or tmpfs filled the memory"),
    explanation=message(
        "Shared memory took {shmem_bytes} ({shmem_share}): files in tmpfs (/dev/shm, /tmp, /run, emptyDir with"
        " medium Memory), System V segments, memfd or GPU buffers. It belongs to no process, so killing frees"
        " it only if its last user dies."
    ),
    related=("victim-not-culprit", "swap-absent", "unaccounted-memory"),
)
