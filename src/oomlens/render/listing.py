"""The other forms of the list: CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from oomlens.i18n import Translate
from oomlens.model.report import Report
from oomlens.render import facts, table
from oomlens.render.sanitize import csv_cell, markdown

CSV_COLUMNS = (
    "id", "time", "uptime_seconds", "host", "kind", "killer", "outcome", "scope", "constraint", "victim_pid", "victim_comm", "victim_uid",
    "total_vm_bytes", "anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes", "oom_score_adj", "victims", "oom_memcg", "task_memcg",
    "limit_bytes", "usage_bytes", "swap_total_bytes", "swap_free_bytes", "kernel_release", "source", "first_line",
)  # fmt: skip


def to_csv(reports: Sequence[Report]) -> str:
    """One row an incident under fixed English column names; sizes in bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for report in reports:
        victim = report.victims[0] if report.victims else None
        memcg, memory = report.memcg, report.memory
        cells = (
            report.id, report.time, report.uptime_seconds, report.host, report.kind.value, report.killer, report.outcome.value,
            report.scope.value, report.constraint,
            *(getattr(victim, name) if victim is not None else None for name in (
                "pid", "comm", "uid", "total_vm_bytes", "anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes", "oom_score_adj")),
            len(report.victims), report.oom_memcg, report.task_memcg,
            memcg.limit_bytes if memcg is not None else None, memcg.usage_bytes if memcg is not None else None,
            memory.get("swap_total_bytes") if memory is not None else None,
            memory.get("swap_free_bytes") if memory is not None else None,
            report.kernel_release, report.origin.source, report.origin.first_line,
        )  # fmt: skip
        writer.writerow("" if cell is None else csv_cell(cell) if isinstance(cell, str) else cell for cell in cells)
    return out.getvalue()


def to_markdown(reports: Sequence[Report], tr: Translate) -> str:
    """A table that can be pasted into an issue or a chat."""
    head = table.headings(tr)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(markdown(cell) for cell in cells) + " |" for cells in table.rows(reports, tr)]
    if not reports:
        lines.append("")
        lines.append(tr("No OOM kill found."))
    return "\n".join(lines) + "\n"


def summary(reports: Sequence[Report], tr: Translate) -> str:
    """One sentence for the end of a scan."""
    kills = sum(1 for report in reports if report.victims)
    if not reports:
        return tr("No OOM kill found.")
    victims = sorted({facts.who(report, tr).split("[", 1)[0] for report in reports if report.victims})
    return tr("{incidents} incidents, {kills} with a kill: {names}").format(
        incidents=len(reports), kills=kills, names=", ".join(victims[:6]) + (" …" if len(victims) > 6 else "")
    )
