"""systemd-oomd kills whole cgroups by pressure or by swap (src/oom/oomd-manager.c)."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope


def _pressure(found: re.Match[str], record: Record) -> Sighting:
    return Sighting(
        Kind.USERSPACE, "systemd-oomd", Outcome.KILLED, record.text, Scope.MEMCG, oom_memcg=found["of"], task_memcg=found["path"],
        details={
            "pressure_percent": found["pressure"], "threshold_percent": found["limit"], "for_seconds": found["seconds"],
        },
    )  # fmt: skip


def _swap(found: re.Match[str], record: Record) -> Sighting:
    return Sighting(
        Kind.USERSPACE, "systemd-oomd", Outcome.KILLED, record.text, Scope.GLOBAL, task_memcg=found["path"],
        details={
            "memory_used_bytes": found["memory"], "memory_total_bytes": found["memory_total"],
            "swap_used_bytes": found["swap"], "swap_total_bytes": found["swap_total"], "threshold_percent": found["limit"],
        },
    )  # fmt: skip


KILLER = Killer(
    name="systemd-oomd",
    needles=("killed /",),
    read=one_line(
        (
            (
                r"^Killed (?P<path>/\S.*?) due to memory pressure for (?P<of>/.*?) being (?P<pressure>[\d.]+)% > (?P<limit>[\d.]+)%"
                r" for > (?P<seconds>\d+)s with reclaim activity",
                _pressure,
            ),
            (
                r"^Killed (?P<path>/\S.*?) due to memory used \((?P<memory>\d+)\) / total \((?P<memory_total>\d+)\) and swap used"
                r" \((?P<swap>\d+)\) / total \((?P<swap_total>\d+)\) being more than (?P<limit>[\d.]+)%",
                _swap,
            ),
        ),
        idents=("systemd-oomd",),
    ),
    samples=(
        (
            ("Killed /user.slice/a.scope due to memory pressure for /user.slice being 91.01% > 50.00% for > 20s with reclaim activity",),
            "systemd-oomd",
            Sighting(
                Kind.USERSPACE, "systemd-oomd", Outcome.KILLED,
                "Killed /user.slice/a.scope due to memory pressure for /user.slice being 91.01% > 50.00% for > 20s with reclaim activity",
                Scope.MEMCG, oom_memcg="/user.slice", task_memcg="/user.slice/a.scope",
                details={"pressure_percent": "91.01", "threshold_percent": "50.00", "for_seconds": "20"},
            ),
        ),
        (("Swap used for /x is 91.00%, no candidates",), "systemd-oomd", None),
        (
            ("Killed /user.slice/a.scope due to memory pressure for /user.slice being 91.01% > 50.00% for > 20s with reclaim activity",),
            "chat",
            None,
        ),
    ),
    source="systemd src/oom/oomd-manager.c",
)  # fmt: skip
