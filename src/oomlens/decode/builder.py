"""One report while it is being read: takes readings, and ends as an immutable `Report`."""

from __future__ import annotations

from dataclasses import replace

from oomlens.decode.grammar.counters import CounterLine, read_blocks, read_stat, read_stats_kb
from oomlens.decode.grammar.row import Fact
from oomlens.decode.grammar.tasks import Cells, Rows, columns_of, read_cut_row, read_row
from oomlens.model.record import Record
from oomlens.model.report import Gap, HugePages, Invoker, Slab, Victim

# PAGE_COUNTER_MAX and RES_COUNTER_MAX print as 2^53-4 kB and more: no limit (reference 4).
UNLIMITED_BYTES = (2**53 - 4096) * 1024
# PAGE_COUNTER_MAX of a 32-bit kernel: LONG_MAX pages of 4 KiB.
_UNLIMITED_32_BYTES = (2**31 - 1) * 4096
# A record of memory.stat lines is cut at the printk record limit: 976 to 1024 bytes (kernel/printk/printk.c).
_RECORD_LIMIT = range(960, 1025)
# Printed behind Mem-Info: they tell nothing of where the rest of the memory is.
_SLAB = frozenset({"slab-info", "slab", "allocations", "allocation"})
_USAGE_NAMES = {"memory": "", "memory+swap": "memsw_", "swap": "swap_", "kmem": "kmem_"}


class ZoneDraft:
    """What the lines of one zone said so far."""

    __slots__ = (
        "all_unreclaimable",
        "buddy",
        "buddy_total_bytes",
        "buddy_types",
        "counters",
        "lowmem_reserve_pages",
        "name",
        "node",
    )

    def __init__(self, node: int | None, name: str) -> None:
        self.node = node
        self.name = name
        self.counters: dict[str, int] = {}
        self.all_unreclaimable: bool | None = None
        self.lowmem_reserve_pages: tuple[int, ...] = ()
        self.buddy: dict[int, int] | None = None
        self.buddy_types: dict[int, str] | None = None
        self.buddy_total_bytes: int | None = None


class NodeDraft:
    __slots__ = ("all_unreclaimable", "counters", "node")

    def __init__(self, node: int) -> None:
        self.node = node
        self.counters: dict[str, int] = {}
        self.all_unreclaimable: bool | None = None


class Builder:
    """A report in the making. Sections are filled as their lines come; nothing is guessed."""

    def __init__(self, record: Record) -> None:
        self.first = record
        self.last_uptime = record.uptime_seconds
        self.verdict_record: Record | None = None
        self.span = [record.line, record.last_line, record.first_byte, record.last_byte]
        self.caller: str | None = None
        self.host = record.host
        self.absorber = False  # an allocation failure: its Mem-Info is nobody's report
        self.evidence = False  # a line that only the OOM killer prints
        self.sysrq = False
        self.suppressed: int | None = None
        self.sections: list[str] = []
        self.lines: dict[str, int] = {}  # where a field was read first
        self.gaps: list[Gap] = []
        self.envelope = record.envelope
        # invoker
        self.invoker: Invoker | None = None
        self.gfp_names: str | None = None
        self.policy = False
        self.release: str | None = None
        self.tainted: str | None = None
        self.hardware: str | None = None
        self.workqueue: str | None = None
        self.cpuset: str | None = None
        self.mems_allowed: str | None = None
        self.nodemask: str | None = None
        self.trace: list[str] = []
        self.in_trace = False
        # memory cgroup
        self.oom_memcg: str | None = None
        self.task_memcg: str | None = None
        self.usage: dict[str, int | None] = {}
        self.unlimited: set[str] = set()
        self.stats_path: str | None = None
        self.stats: dict[str, int] = {}
        self.child_stats: dict[str, dict[str, int]] = {}
        self.in_stats = False
        self._stats_record: tuple[int, int, str] | None = None
        self.protection: dict[str, int] = {}
        # memory
        self.pages: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.nodes: list[NodeDraft] = []
        self.zones: list[ZoneDraft] = []
        self._last_zone: ZoneDraft | None = None
        self._container: dict[str, int] | None = None
        self.block_bytes: int | None = None
        self.hugepages: list[HugePages] = []
        self.slabs: list[Slab] = []
        self.in_slabs = False
        self.allocations: list[tuple[str, str]] = []
        # tasks
        self.columns: tuple[str, ...] | None = None
        self.rows: list[Rows] = []
        self.bad_rows: list[int] = []
        # verdict
        self.constraint: str | None = None
        self.global_oom = False
        self.summary: Victim | None = None
        self.chosen: Victim | None = None
        self.victims: list[Victim] = []
        self.group: str | None = None
        self.message: str | None = None
        self.message_prefix: str | None = None
        self.panic: str | None = None
        self.no_killable = False
        self.not_killed: str | None = None
        self.reaped: dict[int, bool] = {}

    # ------------------------------------------------------------------ bookkeeping
    def touch(self, record: Record, section: str | None) -> None:
        span = self.span
        if record.last_byte > span[3]:
            span[1] = record.last_line
            span[3] = record.last_byte
        if record.uptime_seconds is not None:
            self.last_uptime = record.uptime_seconds
        if self.caller is None:
            self.caller = record.caller
        if self.host is None:
            self.host = record.host
        if section is not None and section not in self.sections:
            self.sections.append(section)

    def mark(self, name: str, record: Record) -> None:
        """Notes the line where a field of the report was read first."""
        if name not in self.lines:
            self.lines[name] = record.line

    def starts_at(self, record: Record) -> None:
        """The report begins earlier than the line that told what it is."""
        self.span[0], self.span[2] = record.line, record.first_byte

    @property
    def decided(self) -> bool:
        """A verdict has been read: a chosen task, a kill, a panic, or that there is nobody to kill."""
        return self.verdict_record is not None

    @property
    def ended(self) -> bool:
        """Decided that nobody is killed."""
        return self.panic is not None or self.no_killable or self.not_killed is not None

    def _decide(self, record: Record, text: str) -> None:
        if self.verdict_record is None or self.message is None:
            self.message = text
        self.verdict_record = record
        self.in_trace = self.in_stats = False
        self.evidence = True

    # ------------------------------------------------------------------ head
    def take_head(self, fact: Fact, record: Record) -> None:
        if fact.id in ("invoked", "invoked-bare", "invoked-cut"):
            self.evidence = True
            self.gfp_names = fact.text("gfp_names")
            self.nodemask = fact.text("nodemask")
            # 4.12 to 4.14 leave two blanks here and print the nodes only of a policy; 4.9 prints mems_allowed instead.
            self.policy = fact.text("wide") is not None and self.nodemask not in (None, "", "(null)")
            self.invoker = Invoker(
                comm=fact.text("comm"),
                gfp_mask=fact.number("gfp_mask"),
                order=fact.number("order"),
                oom_score_adj=fact.number("oom_score_adj"),
                oom_adj=fact.number("oom_adj"),
            )
            self.touch(record, "invoker")
            self.mark("invoker", record)
            if fact.id != "invoked":
                self.gaps.append(Gap("invoker", "line-cut", record.line))
        elif fact.id == "cpuset":
            self.cpuset = fact.text("cpuset")
            self.mems_allowed = fact.text("mems_allowed")
            if self.invoker is None:
                self.invoker = Invoker(comm=fact.text("comm"))
            self.touch(record, None)
            self.mark("cpuset", record)
        elif fact.id in ("cpu", "cpu-short"):
            base = self.invoker or Invoker(comm=fact.text("comm"))
            self.invoker = replace(base, pid=fact.number("pid"), cpu=fact.number("cpu"), uid=fact.number("uid"))
            self.release = fact.text("release") or self.release
            self.tainted = fact.text("tainted") or self.tainted
            self.in_trace = True  # arm prints its frames without a line in front
            self.touch(record, None)
        elif fact.id == "hardware":
            self.hardware = fact.text("hardware")
            self.touch(record, None)
        elif fact.id == "workqueue":
            self.workqueue = fact.text("workqueue")
            self.touch(record, None)
        elif fact.id == "trace":
            self.in_trace = True
            self.touch(record, "trace")
            self.mark("trace", record)

    def take_frame(self, record: Record) -> None:
        self.trace.extend(map(str.strip, record.text.split("\n")))
        self.touch(record, "trace")

    # ------------------------------------------------------------------ memory cgroup
    def take_memcg(self, fact: Fact, record: Record) -> None:
        self.evidence = True
        self.in_trace = self.in_stats = False
        self.touch(record, "memcg")
        if fact.id == "limit-of":
            self.task_memcg = fact.text("task_memcg")
            self.oom_memcg = fact.text("oom_memcg")
            self.mark("oom_memcg", record)
        elif fact.id == "limit-reached":
            self.mark("oom_memcg", record)
            self.oom_memcg = fact.text("oom_memcg")
        elif fact.id == "usage":
            self._take_usage(fact, record)
        elif fact.id == "stats-line":
            self._take_stats_line(fact)
            self.mark("memcg.stats", record)
        elif fact.id == "stats":
            self.mark("memcg.stats", record)
            self.stats_path = fact.text("path")
            self.in_stats = True
        elif fact.id == "protection":
            self.protection = {
                name: size for name in ("min_bytes", "low_bytes") if (size := fact.number(name)) is not None
            }

    def _take_usage(self, fact: Fact, record: Record) -> None:
        what = fact.text("what") or ""
        prefix = _USAGE_NAMES[what]
        self.mark(f"memcg.{prefix}usage", record)
        limit = fact.number("limit_bytes")
        if limit is not None and (limit >= UNLIMITED_BYTES or limit == _UNLIMITED_32_BYTES):
            self.unlimited.add(prefix.rstrip("_") or "memory")
            limit = None
        self.usage[f"{prefix}usage_bytes"] = fact.number("usage_bytes")
        self.usage[f"{prefix}limit_bytes"] = limit
        self.usage[f"{prefix}failcnt"] = fact.number("failcnt")

    def _take_stats_line(self, fact: Fact) -> None:
        path = fact.text("path")
        stats = read_stats_kb(fact.text("stats") or "")
        if not self.stats:
            self.stats_path, self.stats = path, stats
        elif path is not None:
            self.child_stats[path] = stats

    def take_stats(self, record: Record) -> bool:
        """`name value` lines of memory.stat; False where it is none."""
        if "\n" not in record.text:
            return self._take_stat(record, record.text)
        for line, text in enumerate(record.text.split("\n"), record.line):
            self._take_stat(record._replace(line=line), text)
        return True

    def _take_stat(self, record: Record, text: str) -> bool:
        stat = read_stat(text)
        if stat is None:
            self._close_stats(record)
            return False
        previous = self._stats_record
        same_record = previous is not None and previous[0] == record.line
        length = len(text) + 1 + (previous[1] if previous is not None and same_record else 0)
        self._stats_record = (record.line, length, stat[0])
        self.stats[stat[0]] = stat[1]
        self.touch(record, "memcg")
        return True

    def _close_stats(self, record: Record) -> None:
        self.in_stats = False
        if self._stats_record is not None and self._stats_record[1] - 1 in _RECORD_LIMIT:
            # The last number of a record cut at the limit may have lost digits.
            self.stats.pop(self._stats_record[2], None)
            self.gaps.append(Gap("memcg.stats", "record-cut-at-printk-limit", record.line))
        self._stats_record = None

    # ------------------------------------------------------------------ memory
    def take_memory(self, fact: Fact, record: Record) -> None:
        self.in_trace = self.in_stats = False
        self.touch(record, "slab" if fact.id in _SLAB else "memory")
        if fact.id == "buddy":
            self._take_buddy(fact)
        elif fact.id == "lowmem-reserve" and self._last_zone is not None:
            self._last_zone.lowmem_reserve_pages = tuple(map(int, (fact.text("pages") or "").split()))
        elif fact.id == "hugepages":
            self.mark("memory.hugepages", record)
            numbers = [fact.number(name) or 0 for name in ("total", "free", "surplus", "size_bytes")]
            self.hugepages.append(HugePages(fact.number("node"), *numbers))
        elif fact.id == "total-pages":
            self._take_total(fact, record)
        elif fact.id == "swap-total":
            size = fact.number("size_bytes")
            if size is not None:
                name = f"swap_{(fact.text('what') or '').lower()}"
                self.sizes[f"{name}_bytes"] = size
                self.mark(f"memory.{name}", record)
        elif fact.id == "swap-cache":
            for name in ("add", "delete", "found", "total"):
                if (count := fact.number(name)) is not None:
                    self.sizes[f"swap_cache_{name}_count"] = count
        elif fact.id == "slab-info":
            self.in_slabs = True
            self.mark("memory.unreclaimable_slab", record)
        elif fact.id == "slab":
            self.slabs.append(
                Slab(fact.text("name") or "", fact.number("used_bytes") or 0, fact.number("total_bytes") or 0)
            )
        elif fact.id == "allocation":
            self.allocations.append((fact.text("size") or "", fact.text("site") or ""))
        self._container = None

    def _take_total(self, fact: Fact, record: Record) -> None:
        words = (fact.text("what") or "").replace("/", " ").replace("-", " ").split()
        name = "_".join(word for word in words if word not in ("total", "pages", "page", "in")).lower()
        pages = fact.number("pages")
        if pages is not None and name:
            self.pages[name] = pages
            self.mark(f"memory.{name}", record)

    def take_counters(self, line: CounterLine, record: Record) -> bool:
        """A `key:value` line; False where it cannot belong to this report's memory block."""
        if line.unit == "pages":
            if line.zone is not None or line.node is not None:
                return False
            self.pages.update(line.counters)
            for name in line.counters:
                self.mark(f"memory.{name}", record)
        elif line.zone is not None:
            zone = self._zone(line.node, line.zone)
            self._last_zone = zone
            self.mark(
                f"memory.zones.{zone.name}" if zone.node is None else f"memory.zones.{zone.node}.{zone.name}", record
            )
            self._fill(zone, line)
        elif line.node is not None:
            node = next((node for node in self.nodes if node.node == line.node), None)
            if node is None:
                node = NodeDraft(line.node)
                self.nodes.append(node)
                self.mark(f"memory.nodes.{node.node}", record)
            self._fill(node, line)
        elif self._container is not None:
            self._container.update({f"{key}_bytes": size for key, size in line.counters.items()})
        else:
            return False
        self.in_trace = self.in_stats = False
        self.touch(record, "memory")
        return True

    def _fill(self, draft: ZoneDraft | NodeDraft, line: CounterLine) -> None:
        draft.counters.update({f"{key}_bytes": size for key, size in line.counters.items()})
        draft.counters.update({f"{key}_count": count for key, count in line.counts.items()})
        if line.all_unreclaimable is not None:
            draft.all_unreclaimable = line.all_unreclaimable
        self._container = draft.counters

    def _zone(self, node: int | None, name: str) -> ZoneDraft:
        for zone in self.zones:
            if zone.node == node and zone.name == name:
                return zone
        zone = ZoneDraft(node, name)
        self.zones.append(zone)
        return zone

    def _take_buddy(self, fact: Fact) -> None:
        zone = self._zone(fact.number("node"), fact.text("zone") or "")
        zone.buddy, types, first = read_blocks(fact.text("blocks") or "")
        zone.buddy_types = types or None
        zone.buddy_total_bytes = fact.number("total_bytes")
        self.block_bytes = self.block_bytes or first

    # ------------------------------------------------------------------ tasks
    def take_table(self, kind: str, rows: Rows | None, record: Record) -> None:
        self.in_trace = self.in_stats = self.in_slabs = False
        self.evidence = True
        self.touch(record, "tasks" if kind == "row" else None)
        self.mark("tasks", record)
        if kind == "header":
            self.columns = columns_of(record.text)
        elif kind == "row":
            if rows is not None and rows.columns == self.columns:
                self.rows.append(rows)
            else:
                self._take_own_rows(record)  # interleaved with a table of other columns, or damaged

    def _take_own_rows(self, record: Record) -> None:
        for line, text in enumerate(record.text.split("\n"), record.line):
            row = read_row(text, self.columns)
            if row is None:
                self.bad_rows.append(line)
                row = read_cut_row(text, self.columns)
            if row is not None:
                self.rows.append(row)

    def row_of(self, pid: int | None) -> tuple[Rows, Cells] | None:
        """The task table's row of a process."""
        wanted = str(pid)
        for rows in self.rows:
            for cells in rows.cells:
                if cells[0] == wanted:
                    return rows, cells
        return None

    # ------------------------------------------------------------------ verdict
    def take_choice(self, fact: Fact, record: Record) -> None:
        self._decide(record, record.text.strip())
        self.message_prefix = fact.text("message")
        self.chosen = Victim(
            pid=fact.number("pid"), comm=fact.text("comm"), score=fact.number("score"), why="chosen", line=record.line
        )
        self.touch(record, "verdict")
        self.mark("chosen", record)

    def take_summary(self, fact: Fact, record: Record) -> None:
        self._decide(record, record.text.strip())
        self.mark("constraint", record)
        if fact.id == "summary-cut":
            self.gaps.append(Gap("summary", "line-cut", record.line))
        self.constraint = (fact.text("constraint") or "").removeprefix("CONSTRAINT_") or None
        self.nodemask = fact.text("nodemask")
        self.cpuset = fact.text("cpuset") or self.cpuset
        self.mems_allowed = fact.text("mems_allowed") or self.mems_allowed
        self.oom_memcg = fact.text("oom_memcg") or self.oom_memcg
        self.task_memcg = fact.text("task_memcg") or self.task_memcg
        self.global_oom = fact.text("global_oom") is not None
        if fact.id == "summary":
            self.summary = Victim(
                pid=fact.number("pid"), comm=fact.text("comm"), uid=fact.number("uid"), why="chosen", line=record.line
            )
        self.touch(record, "verdict")

    def take_kill(self, fact: Fact, record: Record, why: str) -> None:
        self._decide(record, record.text.strip())
        self.mark("victims", record)
        self.message = record.text.strip() if not self.victims else self.message
        self.message_prefix = fact.text("message") or self.message_prefix
        if fact.id == "killed-cut":
            self.gaps.append(Gap("victims", "line-cut", record.line))
        victim = Victim(
            pid=fact.number("pid"),
            comm=fact.text("comm"),
            uid=next((uid for name in ("uid", "uid_el6", "uid_el7") if (uid := fact.number(name)) is not None), None),
            total_vm_bytes=fact.number("total_vm_bytes"),
            anon_rss_bytes=fact.number("anon_rss_bytes"),
            file_rss_bytes=fact.number("file_rss_bytes"),
            shmem_rss_bytes=fact.number("shmem_rss_bytes"),
            pgtables_bytes=_pgtables(fact.number("pgtables_bytes"), fact.number("total_vm_bytes")),
            oom_score_adj=fact.number("oom_score_adj"),
            why=why,
            line=record.line,
        )
        for index, known in enumerate(self.victims):
            if known.pid == victim.pid:
                if known.total_vm_bytes is None:
                    self.victims[index] = victim
                break
        else:
            self.victims.append(victim)
        self.touch(record, "verdict")

    def take_end(self, fact: Fact, record: Record) -> None:
        """Endings without a kill."""
        self._decide(record, record.text.strip())
        self.mark("outcome", record)
        if fact.id == "panic":
            self.panic = fact.text("text")
        elif fact.id == "no-killable":
            self.no_killable = True
            if fact.text("panic") is not None:
                self.panic = fact.text("message")
        else:
            self.not_killed = record.text.strip()
            self.chosen = Victim(pid=fact.number("pid"), comm=fact.text("comm"), why="chosen", line=record.line)
        self.touch(record, "verdict")

    def take_reaper(self, fact: Fact, record: Record) -> None:
        pid = fact.number("pid")
        if pid is not None:
            self.reaped[pid] = fact.id == "reaped"
            if not any(victim.pid == pid for victim in self.victims) and not self.decided:
                self.victims.append(Victim(pid=pid, comm=fact.text("comm"), line=record.line))
        self.evidence = True
        self.mark("reaper", record)
        self.touch(record, "reaper")


def _pgtables(size_bytes: int | None, total_vm_bytes: int | None) -> int | None:
    # Early 5.4.y and 5.5 print bytes where the text says kB (fixed by 941f762bcb27 in 5.6): page tables cannot be
    # larger than an eighth of the mapping, and bytes are whole pages.
    if size_bytes is None or total_vm_bytes is None:
        return size_bytes
    if size_bytes % (4096 * 1024) == 0 and size_bytes > total_vm_bytes // 8:
        return size_bytes // 1024
    return size_bytes
