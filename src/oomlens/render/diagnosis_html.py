"""`diagnose --format html`: one self-contained file. Everything foreign is escaped by the template engine; nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from oomlens.diagnose.figures import figures_of
from oomlens.diagnose.series import Series
from oomlens.i18n import Translate
from oomlens.model.finding import Diagnosis, Finding, Verdict
from oomlens.model.past import Past
from oomlens.model.report import Memcg, Report, Scope, Task, Zone
from oomlens.render import facts, past, table
from oomlens.render.diagnosis import (
    RULE_BY_ID,
    SAFETY,
    choice_notes,
    cluster_lines,
    explanation,
    found,
    how_chosen,
    series_lines,
    shown_command,
)
from oomlens.render.sanitize import visible
from oomlens.render.sentences import evidence_line, sentence
from oomlens.render.sizes import size

Json = dict[str, Any]
_WIDE = 1000  # units of the drawings' width
_COLOURS = 10
_HOLDERS = 12
_LIMITED = (("", "memory"), ("swap_", "swap"), ("memsw_", "memory+swap"), ("kmem_", "kmem"))
_MEMCG_PARTS = ("anon", "file", "shmem", "kernel")


def render(diagnosis: Diagnosis, series: Sequence[Series], text: str, lang: str, tr: Translate) -> str:
    """The page. text: the report's own lines, from `origin.first_line` on."""
    report = diagnosis.incident.report
    script = _asset("diagnosis.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("oomlens.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("diagnosis.html.j2").render(
        tr=tr,
        lang=lang,
        title=f"{facts.who(report, tr)}: {facts.cause_line(report, tr)}",
        css=Markup(_asset("diagnosis.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=f"sha256-{digest}",
        page=_page(report, tr),
        findings=[_finding(finding, tr) for finding in found(diagnosis.findings)],
        curves=past.drawing(diagnosis.past, tr) if diagnosis.past is not None else [],
        before=_before(diagnosis.past, tr),
        cgroup=_cgroup(report, tr),
        balance=_balance(report),
        balance_total=size(sum(share.bytes for share in report.balance)) if report.balance else None,
        holders=list(_holders(report)),
        zones=[
            _zone(zone)
            for zone in (report.memory.zones if report.memory is not None else ())
            if "free_bytes" in zone.counters
        ],
        chosen=how_chosen(diagnosis, tr),
        notes=list(choice_notes(diagnosis.choice, tr)),
        candidates=_candidates(diagnosis),
        enough=[
            {"text": sentence(one.explanation, {"to": one.to, **one.parameters}, tr), "arithmetic": one.arithmetic}
            for one in diagnosis.counterfactuals
        ],
        advice=[
            {
                "title": tr(one.title),
                "text": tr(one.text),
                "safety": tr(SAFETY[one.safety]),
                "commands": "\n".join(shown_command(command, tr) for command in one.commands),
            }
            for one in diagnosis.advice
        ],
        timeline=_timeline(diagnosis.incident.others, series, tr),
        series=[*series_lines(series, tr), *cluster_lines(diagnosis, tr)],
        ruled_out=list(_told(diagnosis, Verdict.RULED_OUT, tr)),
        undecided=list(_told(diagnosis, Verdict.UNDECIDED, tr)),
        tasks=_tasks(report),
        raw=_raw(report, text),
    )


def _asset(name: str) -> str:
    return (resources.files("oomlens.render") / "templates" / name).read_text(encoding="utf-8")


def _page(report: Report, tr: Translate) -> Json:
    held = facts.how_much(report)
    return {
        "id": report.id,
        "when": table.when(report),
        "host": visible(report.host or ""),
        "kernel": visible(report.kernel_release or ""),
        "where": facts.where(report, tr),
        "held": size(held) if held is not None else "",
        "message": visible(report.message or ""),
        "source": visible(report.origin.source),
    }


def _finding(finding: Finding, tr: Translate) -> Json:
    return {
        "title": tr(RULE_BY_ID[finding.rule].title),
        "code": finding.code,
        "rule": finding.rule,
        "sure": tr("{percent} % sure").format(percent=round(100 * finding.outcome.confidence)),
        "text": explanation(finding, tr),
        "evidence": [
            {
                "text": evidence_line(evidence._replace(line=None), tr),
                "line": evidence.line,
                "where": tr("(line {line})").format(line=evidence.line),
            }
            for evidence in finding.outcome.evidence
        ],
    }


def _before(known: Past | None, tr: Translate) -> list[str]:
    """What is said of the past beside its drawings."""
    if known is None:
        return []
    undrawn = [past.shape_sentence(curve, tr) for curve in known.curves if len(curve.points) < 2]
    return [*undrawn, *past.facts(known, tr)]


def _told(diagnosis: Diagnosis, verdict: Verdict, tr: Translate) -> Iterator[str]:
    for finding in diagnosis.findings:
        if finding.outcome.verdict is verdict:
            told = [evidence_line(evidence, tr) for evidence in finding.outcome.evidence] or [
                visible(name) for name in finding.outcome.missing
            ]
            yield f"{finding.rule}: {'; '.join(told)}"


def _bar(parts: Sequence[tuple[str, int]]) -> list[Json]:
    """Parts of a whole beside each other, largest first; tiny ones together."""
    total = sum(amount for _, amount in parts)
    if not total:
        return []
    ordered = sorted((part for part in parts if part[1] > 0), key=lambda part: -part[1])
    large = [part for part in ordered if part[1] >= total * 0.01][: _COLOURS - 1]
    rest = total - sum(amount for _, amount in large)
    if rest > 0:
        large.append(("…", rest))
    drawn, place = [], 0.0
    for colour, (name, amount) in enumerate(large):
        width = _WIDE * amount / total
        drawn.append(
            {
                "name": visible(name),
                "size": size(amount),
                "percent": round(100 * amount / total),
                "x": round(place, 1),
                "width": round(width, 1),
                "colour": colour,
            }
        )
        place += width
    return drawn


def _level(label: str, amount: int, whole: int, colour: int, marks: Mapping[str, int] | None = None) -> Json:
    """One amount against a whole, with marks."""
    whole = max(whole, 1)
    return {
        "label": label,
        "width": round(_WIDE * min(amount / whole, 1.0), 1),
        "colour": colour,
        "marks": [
            {"name": name, "x": round(_WIDE * min(place / whole, 1.0), 1)} for name, place in (marks or {}).items()
        ],
    }


def _balance(report: Report) -> list[Json]:
    return _bar([(share.name, share.bytes) for share in report.balance or ()])


def _cgroup(report: Report, tr: Translate) -> Json | None:
    memcg = report.memcg
    if memcg is None or report.scope is not Scope.MEMCG:
        return None
    usages = [_usage(memcg, prefix, name, tr) for prefix, name in _LIMITED]
    rows = [row for row in usages if row is not None]
    figures = figures_of(report)
    parts = [(name, figures.get(f"memcg.{name}_bytes") or 0) for name in _MEMCG_PARTS]
    return {
        "path": visible(report.oom_memcg or ""),
        "rows": rows,
        "parts": _bar(parts) if any(amount for _, amount in parts) else [],
    }


def _usage(memcg: Memcg, prefix: str, name: str, tr: Translate) -> Json | None:
    usage, limit = getattr(memcg, f"{prefix}usage_bytes"), getattr(memcg, f"{prefix}limit_bytes")
    if usage is None:
        return None
    if limit is None:
        return _level(f"{name}: {size(usage)} / {tr('unlimited')}", 0, 1, 0)
    return _level(f"{name}: {size(usage)} / {size(limit)}", usage, limit, 4 if usage >= 0.99 * limit else 0)


def _holders(report: Report) -> Iterator[Json]:
    figures = figures_of(report)
    groups = [group for group in figures.groups if group.held_bytes][:_HOLDERS]
    most = max((group.held_bytes or 0 for group in groups), default=1)
    pool = figures.pool_bytes
    for group in groups:
        held = group.held_bytes or 0
        share = f" ({100 * held / pool:.0f} %)" if pool else ""
        count = f" x {group.count}" if group.count > 1 else ""
        yield _level(f"{visible(group.comm)}{count}: {size(held)}{share}", held, most, 0)


def _zone(zone: Zone) -> Json:
    name = zone.name if zone.node is None else f"{zone.node}/{zone.name}"
    free = zone.counters["free_bytes"]
    marks = {
        mark: zone.counters[f"{mark}_bytes"] for mark in ("min", "low", "high") if f"{mark}_bytes" in zone.counters
    }
    whole = max([free, *marks.values()]) * 11 // 10
    told = ", ".join(f"{mark} {size(place)}" for mark, place in marks.items())
    return _level(f"{visible(name)}: {size(free)} ({told})", free, whole, 4 if free < marks.get("min", 0) else 2, marks)


def _candidates(diagnosis: Diagnosis) -> list[Json]:
    return [
        {
            "points": "?" if one.points is None else one.points,
            "adj": "?" if one.oom_score_adj is None else one.oom_score_adj,
            "held": size(one.held_bytes),
            "pid": one.pid,
            "comm": visible(one.comm),
            "killed": one.killed,
        }
        for one in diagnosis.choice.candidates
    ]


def _tasks(report: Report) -> list[Json]:
    killed = {victim.pid for victim in report.victims}
    rows = sorted(report.tasks, key=lambda task: -(task.rss_bytes or 0))
    return [{"killed": task.pid in killed, "comm": visible(task.comm), "cells": _cells(task)} for task in rows]


def _cells(task: Task) -> list[tuple[int, str]]:
    plain = [
        (task.pid, str(task.pid)),
        (task.uid if task.uid is not None else -1, str(task.uid if task.uid is not None else "?")),
    ]
    sizes = [task.rss_bytes, task.swap_bytes, task.total_vm_bytes, task.pgtables_bytes]
    adj = task.oom_score_adj
    return [
        *plain,
        *((amount if amount is not None else -1, size(amount)) for amount in sizes),
        (adj if adj is not None else -2000, str(adj) if adj is not None else "?"),
    ]


def _timeline(reports: Sequence[Report], series: Sequence[Series], tr: Translate) -> Json | None:
    times = {
        report.id: datetime.fromisoformat(report.time).timestamp() for report in reports if report.time is not None
    }
    if len(times) < 2:
        return None
    first, last = min(times.values()), max(times.values())
    span = max(last - first, 1.0)
    rows = [
        {
            "subject": visible(one.subject)[:34],
            "y": 24 * (number + 1),
            "points": sorted({round(265 + 725 * (times[name] - first) / span) for name in one.ids if name in times}),
        }
        for number, one in enumerate(series[:20])
    ]
    begin, end = (datetime.fromtimestamp(moment).astimezone().isoformat(" ", "minutes") for moment in (first, last))
    label = tr("{count} incidents from {first} to {last}").format(count=len(times), first=begin, last=end)
    return {"rows": rows, "height": 24 * (len(rows) + 1), "label": label}


def _raw(report: Report, text: str) -> list[Json]:
    read = set(report.lines.values()) | {victim.line for victim in report.victims}
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [
        {"number": number, "text": visible(line.rstrip("\r")), "read": number in read}
        for number, line in enumerate(lines, report.origin.first_line)
    ]
