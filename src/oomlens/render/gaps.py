"""What could not be read of a live machine, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import Translate
from oomlens.model.report import Gap
from oomlens.render.sanitize import visible


def reasons(tr: Translate) -> dict[str, str]:
    """Why something is unknown, by the reason that a gap holds."""
    return {
        "hidden-by-hidepid": tr("/proc is mounted with hidepid; run it with sudo"),
        "limit-or-usage-unknown": tr("its limit or usage could not be read"),
        "no-memory-controller": tr("no memory controller is mounted below /sys/fs/cgroup"),
        "no-memory-stat": tr("memory.stat could not be read"),
        "not-provided": tr("this kernel does not provide it"),
        "not-read-for-all": tr("not all could be read; run it with sudo"),
        "not-understood": tr("its content makes no sense"),
        "other-namespaces-not-seen": tr("in a container, processes outside of it are not seen"),
        "permission-denied": tr("permission denied; run it with sudo"),
        "sizes-unreadable": tr("not all sizes could be read; run it with sudo"),
        "swap-unknown": tr("its use of swap could not be read"),
        "switched-off": tr("switched off when the kernel was started"),
        "taken-as-5.9-or-later": tr("not readable; the rules of 5.9 and later are taken"),
        "zram-ratio-unknown": tr("nothing was compressed yet, so swap on zram counts for nothing"),
    }


def gap_lines(gaps: Sequence[Gap], tr: Translate, indent: str = "") -> Iterator[str]:
    """A line for each reason, with all that it made unknown."""
    by_reason: dict[str, list[str]] = {}
    for gap in gaps:
        by_reason.setdefault(gap.why, []).append(visible(gap.what))
    for why, names in by_reason.items():
        more = f" +{len(names) - 6}" if len(names) > 6 else ""
        what = ", ".join(names[:6]) + more
        yield indent + tr("unknown: {what} ({why})").format(what=what, why=reasons(tr).get(why, why))
