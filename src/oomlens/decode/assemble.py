"""Readings -> reports: which line belongs to which event.

Lines of one event need not be adjacent, and two events may be interleaved.
A line goes to the open report of its caller id, else of its time, else of its cgroup or pid, else to the latest one.
A report ends on evidence: its kill is told, a new invoker speaks, or the clock says that it is another boot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from oomlens.decode.builder import Builder
from oomlens.decode.finish import finish, is_report
from oomlens.decode.grammar.row import Fact
from oomlens.decode.rejoin import ELISION, Read
from oomlens.model.record import Record
from oomlens.model.report import Gap, Outcome, Report

_HEAD = frozenset({"cpuset", "cpu", "cpu-short", "hardware", "workqueue", "trace"})
_MEMCG = frozenset({"limit-of", "limit-reached", "usage", "stats-line", "stats", "protection"})
_MEMORY = frozenset(
    {
        "mem-info",
        "buddy",
        "lowmem-reserve",
        "hugepages",
        "total-pages",
        "swap-total",
        "swap-cache",
        "slab-info",
        "slab",
        "allocations",
        "allocation",
    }
)
_TRACE_OTHER = re.compile(r"^\s*(?:</?TASK>|[ER]IP: |[ER]SP: |Krnl PSW|pc : |lr : |(?:\? )?[\w.]+ \(\S+:\d+)")
_STARTS_MEMORY = frozenset({"mem-info", "buddy", "hugepages"})
# Lines of one report follow each other; a slow serial console prints some 100 lines a second.
_NEAR_SECONDS = 60.0
_REAPER_SECONDS = 120.0
# Reports that a line may still belong to; more than a few are never open at once.
_MOST_OPEN = 16


class Assembler:
    """Takes readings in order; `reports` ends it. One per source or window."""

    def __init__(self, source: str, reference: datetime | None) -> None:
        self._source = source
        self._reference = reference
        self._open: list[Builder] = []
        self._all: list[Builder] = []
        self._sysrq: Record | None = None
        self._suppressed: int | None = None
        self._release: dict[str | None, tuple[str, float | None]] = {}
        self._loose_trace: list[Record] = []  # a stack that may turn out to be the next report's

    def take(self, read: Read) -> None:
        """One reading; lines that are none of ours only end a list or carry a stack frame."""
        record, reading, rows = read
        if reading.fact is not None:
            self._take_fact(reading.fact, record)
        elif reading.counters is not None:
            builder = self._pick(record)
            if builder is not None:
                builder.take_counters(reading.counters, record)
            elif reading.counters.zone is not None or "active_anon" in reading.counters.counters:
                self._new(record).take_counters(reading.counters, record)
        elif reading.table is not None:
            builder = self._pick(record)
            if builder is None or (reading.table == "header" and builder.columns is not None and builder.rows):
                builder = self._new(record)
            builder.take_table(reading.table, rows, record)
        else:
            self._take_other(record)

    def _take_other(self, record: Record) -> None:
        if not (self._open or self._loose_trace) or not record.text.strip():
            return
        builder = self._pick(record)
        if builder is None:
            self._take_loose_frame(record)
            return
        if ELISION.match(record.text):
            builder.gaps.append(Gap("report", "elided-by-editor", record.line))
        if not (builder.in_trace or builder.in_stats):
            return
        if builder.in_stats and builder.take_stat(record):
            return
        if builder.in_trace and ("+0x" in record.text or _TRACE_OTHER.match(record.text)):
            builder.take_frame(record)

    # ------------------------------------------------------------------ streams
    def _new(self, record: Record) -> Builder:
        builder = Builder(record)
        builder.suppressed, self._suppressed = self._suppressed, None
        builder.release = self._known_release(record)
        if self._loose_trace and 0 <= record.line - self._loose_trace[-1].last_line <= 2:
            for frame in self._loose_trace[1:]:
                builder.take_frame(frame)
            builder.starts_at(self._loose_trace[0])
        self._loose_trace = []
        self._all.append(builder)
        self._open.append(builder)
        if len(self._open) > _MOST_OPEN:
            del self._open[0]
        return builder

    def _known_release(self, record: Record) -> str | None:
        """What an earlier line of the same boot called the kernel."""
        release, uptime = self._release.get(record.host, (None, None))
        later = uptime is None or record.uptime_seconds is None or uptime <= record.uptime_seconds
        return release if later else None

    def _take_loose_frame(self, record: Record) -> None:
        if self._loose_trace and ("+0x" in record.text or _TRACE_OTHER.match(record.text)):
            self._loose_trace.append(record)

    def _near(self, builder: Builder, record: Record, seconds: float = _NEAR_SECONDS) -> bool:
        if record.host != builder.host and record.host is not None and builder.host is not None:
            return False
        if record.uptime_seconds is not None and builder.last_uptime is not None:
            return -5.0 <= record.uptime_seconds - builder.last_uptime <= seconds
        return True

    def _candidates(self, record: Record, *, any_caller: bool = False) -> list[Builder]:
        """Open reports that this record may belong to, best first."""
        found = [builder for builder in self._open if self._near(builder, record)]
        if record.caller is not None and not any_caller:
            same = [builder for builder in found if builder.caller == record.caller]
            found = same or [builder for builder in found if builder.caller is None]
        found.reverse()
        if len(found) > 1 and record.uptime_seconds is not None:
            uptime = record.uptime_seconds
            # Reports of two boots or hosts mixed in one text are seconds apart, lines of one report far less.
            found.sort(key=lambda builder: round(abs(uptime - (builder.last_uptime or uptime))))
        return found

    def _pick(self, record: Record) -> Builder | None:
        """The open report without a verdict that a body line belongs to."""
        last = self._open[-1] if self._open else None
        if (
            last is not None
            and last.verdict_record is None
            and last.caller == record.caller
            and last.host == record.host
            and (
                last.last_uptime == record.uptime_seconds
                or (
                    last.last_uptime is not None
                    and record.uptime_seconds is not None
                    and 0.0 <= record.uptime_seconds - last.last_uptime < 1.0
                )
            )
        ):
            return last  # the next line of the same report: by far the usual case
        return next((builder for builder in self._candidates(record) if not builder.decided), None)

    # ------------------------------------------------------------------ facts
    def _take_fact(self, fact: Fact, record: Record) -> None:
        kind = fact.id
        if kind in ("invoked", "invoked-bare", "invoked-cut"):
            self._loose_trace = []  # a stack in front of a head is somebody else's
            builder = self._new(record)
            builder.sysrq = self._sysrq is not None and record.line - self._sysrq.line <= 20
            self._sysrq = None
            builder.take_head(fact, record)
        elif kind in _HEAD:
            self._take_head(fact, record)
        elif kind in _MEMCG:
            builder = self._pick(record) or self._new(record)
            if kind == "limit-of" and builder.task_memcg is not None:
                builder = self._new(record)
            builder.take_memcg(fact, record)
        elif kind in _MEMORY:
            self._take_memory(fact, record)
        elif kind == "allocation-failure":
            builder = self._new(record)
            builder.absorber = True
        elif kind == "sysrq":
            self._sysrq = record
        elif kind == "suppressed":
            self._suppressed = fact.number("count")
        elif kind == "release":
            self._release[record.host] = fact.text("release") or "", record.uptime_seconds
        else:
            self._take_verdict(fact, record)

    def _take_head(self, fact: Fact, record: Record) -> None:
        builder = self._pick(record)
        if fact.id in ("cpuset", "cpu", "cpu-short"):
            comm = fact.text("comm")
            named = [
                candidate
                for candidate in self._candidates(record)
                if not candidate.decided and candidate.invoker is not None and candidate.invoker.comm == comm
            ]
            waiting = [
                candidate for candidate in named if candidate.invoker is not None and candidate.invoker.pid is None
            ]
            builder = next(iter(waiting or named), builder)
            if (
                builder is not None
                and builder.invoker is not None
                and builder.invoker.pid is not None
                and fact.id != "cpuset"
            ):
                return  # a second CPU line is another dump in the middle of ours
            known = builder.invoker.comm if builder is not None and builder.invoker is not None else None
            if known is not None and comm is not None and known != comm and not known.startswith(comm):
                return
        if builder is not None and not builder.absorber:
            builder.take_head(fact, record)
        elif builder is None and (release := fact.text("release")) is not None:
            # Another dump soon after a kill: the same boot, so the same kernel.
            for told in self._candidates(record, any_caller=True):
                told.release = told.release or release
            self._release[record.host] = release, record.uptime_seconds
        elif builder is None and fact.id == "trace":
            self._loose_trace = [record]

    def _take_memory(self, fact: Fact, record: Record) -> None:
        builder = self._pick(record)
        if fact.id == "slab" and (builder is None or not builder.in_slabs):
            return
        if builder is None:
            if fact.id not in _STARTS_MEMORY:
                return
            builder = self._new(record)
        elif fact.id == "mem-info" and builder.zones and builder.pages:
            builder = self._new(record)
        builder.take_memory(fact, record)

    def _take_verdict(self, fact: Fact, record: Record) -> None:
        kind = fact.id
        if kind in ("reaped", "not-reaped"):
            self._take_reaper(fact, record)
        elif kind in ("killed", "killed-cut"):
            self._take_kill(fact, record)
        elif kind == "sharing":
            builder = self._latest_kill(record)
            (builder or self._new(record)).take_kill(fact, record, "shared-mm")
        elif kind == "group":
            builder = self._latest_kill(record) or self._new(record)
            builder.group = fact.text("path")
            builder.evidence = True
            builder.touch(record, "verdict")
        elif kind in ("summary", "summary-cut"):
            self._for_verdict(record, fact).take_summary(fact, record)
        elif kind in ("choice", "choice-cut"):
            self._for_verdict(record, fact).take_choice(fact, record)
        elif kind == "panic":
            nobody = next((one for one in self._candidates(record) if one.no_killable and one.panic is None), None)
            (nobody or self._for_verdict(record, fact)).take_end(fact, record)
        elif kind in ("no-killable", "exiting", "would-have"):
            self._for_verdict(record, fact).take_end(fact, record)

    def _for_verdict(self, record: Record, fact: Fact) -> Builder:
        """The undecided report that the verdict is about: by cgroup, by the task table, else the latest."""
        undecided = [builder for builder in self._candidates(record) if not builder.decided and not builder.absorber]
        if not undecided:
            return self._new(record)
        path, pid = fact.text("oom_memcg"), fact.number("pid")
        if len(undecided) > 1:
            for builder in undecided:
                if path is not None and builder.stats_path == path:
                    return builder
            for builder in undecided:
                if builder.row_of(pid) is not None:
                    return builder
        return undecided[0]

    def _take_kill(self, fact: Fact, record: Record) -> None:
        pid = fact.number("pid")
        candidates = self._candidates(record)
        waiting = any(not builder.decided and not builder.absorber for builder in candidates)
        for builder in candidates:
            told = builder.summary or builder.chosen
            # Up to 5.0 a child may die instead of the chosen task; from 5.0 on it is the summary's task.
            expected = builder.summary is None or told is None or told.pid == pid
            if builder.decided and not builder.victims and not builder.ended and expected:
                builder.take_kill(fact, record, "chosen")
                return
            # A group's kill is told twice (7.3); else a report that waits for its verdict has the better claim.
            if any(victim.pid == pid for victim in builder.victims) and (builder.group is not None or not waiting):
                builder.take_kill(fact, record, "oom.group" if builder.group else "chosen")
                return
        for builder in candidates:
            if builder.group is not None and builder.victims:
                builder.take_kill(fact, record, "oom.group")
                return
            if builder.group is not None and not builder.decided:
                builder.take_kill(fact, record, "oom.group")
                return
        self._for_verdict(record, fact).take_kill(fact, record, "chosen")

    def _latest_kill(self, record: Record) -> Builder | None:
        return next((builder for builder in self._candidates(record) if builder.victims), None)

    def _take_reaper(self, fact: Fact, record: Record) -> None:
        pid = fact.number("pid")
        for builder in reversed(self._open):
            told = [victim.pid for victim in (*builder.victims, builder.summary, builder.chosen) if victim is not None]
            if pid in told and self._near(builder, record, _REAPER_SECONDS) and pid not in builder.reaped:
                builder.take_reaper(fact, record)
                return
        # Others die of the same event without a line of their own (a shared mm, a signal): no new event.
        near = next((builder for builder in self._candidates(record, any_caller=True) if builder.decided), None)
        (near or self._new(record)).take_reaper(fact, record)

    # ------------------------------------------------------------------ end
    def reports(self) -> list[Report]:
        """All reports in the order of their first byte; a storm of equal ones without a victim is one with a count."""
        drafts = sorted((builder for builder in self._all if is_report(builder)), key=lambda builder: builder.span[2])
        return collapse([finish(builder, self._source, self._reference) for builder in drafts])


def collapse(reports: Iterable[Report]) -> list[Report]:
    """Consecutive "no killable process" reports of the same cgroup become the first one, with `repeats`."""
    kept: list[Report] = []
    for report in reports:
        last = kept[-1] if kept else None
        if (
            last is not None
            and report.outcome is Outcome.NO_KILLABLE_PROCESS
            and last.outcome is Outcome.NO_KILLABLE_PROCESS
            and (report.oom_memcg, report.host, report.scope) == (last.oom_memcg, last.host, last.scope)
        ):
            origin = last.origin._replace(last_line=report.origin.last_line, last_byte=report.origin.last_byte)
            kept[-1] = replace(last, repeats=last.repeats + report.repeats, origin=origin)
        else:
            kept.append(report)
    return kept


def assemble(reads: Iterable[Read], source: str, reference: datetime | None) -> list[Report]:
    """The reports of one stretch of log."""
    assembler = Assembler(source, reference)
    for read in reads:
        assembler.take(read)
    return assembler.reports()
