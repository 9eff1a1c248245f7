"""A snapshot as text for people: what free, ps, /proc/meminfo and /proc/PID/status show, and what these lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from oomlens.i18n import Translate
from oomlens.model.prediction import Warn
from oomlens.model.snapshot import CgroupUsage, HostMemory, Process, Snapshot
from oomlens.render.columns import aligned, shortened
from oomlens.render.facts import short_name
from oomlens.render.gaps import gap_lines
from oomlens.render.prediction import warn_text
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size

_COMMAND_COLUMNS = 48


@dataclass(frozen=True, slots=True)
class Wanted:
    """users: names by uid; processes, cgroups: how many rows at most; risks: of the whole machine."""

    users: Mapping[int, str]
    risks: Sequence[Warn] = ()
    processes: int = 10
    cgroups: int = 10


def risk_texts(tr: Translate) -> dict[str, str]:
    """What a risk says, by its kind."""
    return {
        "allocating-task": tr("vm.oom_kill_allocating_task is set: whoever asks for memory is killed, not the largest"),
        "idle-hugepages": tr("{bytes} are reserved for huge pages that nobody uses"),
        "kill-disabled": tr("{path}: oom_kill_disable is set, its processes stand still at the limit"),
        "large-reserve": tr("vm.min_free_kbytes keeps {bytes} free for the kernel"),
        "large-unkillable": tr("{comm}[{pid}] holds {bytes} and may never be killed (oom_score_adj -1000)"),
        "little-left": tr("only {available_bytes} are available, and {free_bytes} of swap are free"),
        "near-limit": tr("{path}: {held_bytes} of its limit of {limit_bytes} cannot be reclaimed"),
        "no-swap": tr("there is no swap: the first shortage is a kill"),
        "overcommit-always": tr("vm.overcommit_memory is 1: no request for memory is ever refused"),
        "overcommit-strict": tr("vm.overcommit_memory is 2: {committed_bytes} of {limit_bytes} are promised"),
        "panic-on-oom": tr("vm.panic_on_oom is {value}: the kernel panics instead of killing"),
        "slowed": tr(
            "{path}: {held_bytes} cannot be reclaimed, so memory.high ({high_bytes}) slows its processes down"
        ),
        "stalled": tr("all tasks stood still for memory {percent} % of the last 10 seconds"),
        "swap-full": tr("only {free_bytes} of {total_bytes} of swap are free"),
        "swappiness-zero": tr("vm.swappiness is 0: swap is hardly used, and not counted for cgroups"),
    }


def render(snapshot: Snapshot, tr: Translate, wanted: Wanted) -> str:
    """The whole machine."""
    host = snapshot.host
    blocks = [
        [_headline(host, tr)],
        _totals(host.meminfo, tr),
        _parts(host.meminfo, tr),
        list(_swaps(host, tr)),
        list(_pressures(host, tr)),
        [f"! {warn_text(risk, risk_texts(tr), tr)}" for risk in wanted.risks],
        list(_kills(snapshot, tr)),
        cgroup_table(tightest(snapshot.cgroups)[: wanted.cgroups], tr),
        process_table(largest(snapshot.processes)[: wanted.processes], snapshot, tr, wanted.users),
        list(gap_lines(snapshot.gaps, tr)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def largest(processes: Sequence[Process]) -> list[Process]:
    """As `ps --sort=-rss`, without kernel threads."""
    own = [process for process in processes if not process.kernel_thread]
    return sorted(own, key=lambda process: process.rss_bytes or 0, reverse=True)


def tightest(cgroups: Sequence[CgroupUsage]) -> list[CgroupUsage]:
    """Those with a limit of their own, the fullest first."""
    limited = [usage for usage in cgroups if usage.max_bytes and usage.current_bytes is not None]
    return sorted(limited, key=lambda usage: (usage.current_bytes or 0) / (usage.max_bytes or 1), reverse=True)


def _headline(host: HostMemory, tr: Translate) -> str:
    parts = [visible(host.name or "?"), f"Linux {visible(host.kernel_release or '?')}"]
    if host.uptime_seconds is not None:
        parts.append(tr("up {time}").format(time=duration(host.uptime_seconds)))
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """90061 -> `1d 01:01`."""
    minutes = int(seconds) // 60
    days, minutes = divmod(minutes, 24 * 60)
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{days}d {clock}" if days else clock


def _totals(meminfo: Mapping[str, int], tr: Translate) -> list[str]:
    """As `free` of procps 4: used is what is not available."""
    get = meminfo.get
    cache = _sum(get("buffers_bytes"), get("cached_bytes"), get("sreclaimable_bytes"))
    rows = [
        ("", tr("TOTAL"), tr("USED"), tr("FREE"), tr("SHARED"), tr("CACHE"), tr("AVAILABLE")),
        (
            tr("memory"), size(get("mem_total_bytes")), size(_minus(get("mem_total_bytes"), get("mem_available_bytes"))),
            size(get("mem_free_bytes")), size(get("shmem_bytes")), size(cache), size(get("mem_available_bytes")),
        ),
        (
            tr("swap"), size(get("swap_total_bytes")), size(_minus(get("swap_total_bytes"), get("swap_free_bytes"))),
            size(get("swap_free_bytes")), "", "", "",
        ),
    ]  # fmt: skip
    return aligned(rows, right=range(1, 7))


def _minus(whole: int | None, part: int | None) -> int | None:
    return None if whole is None or part is None else whole - part


def _sum(*parts: int | None) -> int | None:
    return None if None in parts else sum(part or 0 for part in parts)


def _parts(meminfo: Mapping[str, int], tr: Translate) -> list[str]:
    named = (
        (tr("programs (anon)"), "anon_pages_bytes"),
        (tr("shared (shmem, tmpfs)"), "shmem_bytes"),
        (tr("reclaimable slab"), "sreclaimable_bytes"),
        (tr("unreclaimable slab"), "sunreclaim_bytes"),
        (tr("page tables"), "page_tables_bytes"),
        (tr("kernel stacks"), "kernel_stack_bytes"),
        (tr("huge pages"), "hugetlb_bytes"),
        (tr("promised (Committed_AS)"), "committed_as_bytes"),
    )
    shown = [f"{name} {size(meminfo[key])}" for name, key in named if key in meminfo]
    half = (len(shown) + 1) // 2
    return [", ".join(part) for part in (shown[:half], shown[half:]) if part]


def _swaps(host: HostMemory, tr: Translate) -> Iterator[str]:
    for swap in host.swaps or ():
        yield tr("swap {name}: {used} of {total} used").format(
            name=visible(swap.name), used=size(swap.used_bytes), total=size(swap.size_bytes)
        )
    for zram in host.zrams or ():
        yield tr("{name}: {data} compressed to {used}").format(
            name=zram.name, data=size(zram.data_bytes), used=size(zram.used_bytes)
        )


def _pressures(host: HostMemory, tr: Translate) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [(tr("STOOD STILL FOR"), "10 s", "60 s", "300 s")]
    for resource, pressure in host.pressure.items():
        for kind, stall in (("some", pressure.some), ("full", pressure.full)):
            if stall is not None:
                averages = (stall.avg10_percent, stall.avg60_percent, stall.avg300_percent)
                rows.append((f"{resource} {kind}", *(f"{average:.2f} %" for average in averages)))
    if len(rows) > 1:
        yield from aligned(rows, right=(1, 2, 3))


def _kills(snapshot: Snapshot, tr: Translate) -> Iterator[str]:
    kills = snapshot.host.oom_kills
    if kills is not None:
        yield tr("out-of-memory kills since boot: {count}").format(count=kills)
    for usage, count in kills_of_their_own(snapshot.cgroups):
        yield "  " + tr("{count} in {path}").format(count=count, path=visible(usage.path))


def kills_of_their_own(cgroups: Sequence[CgroupUsage]) -> list[tuple[CgroupUsage, int]]:
    """Cgroups with the kills of their own processes and of cgroups that are gone, the most first.

    Version 2 counts those of all descendants too, so what these tell themselves is taken off.
    """
    own = {usage.path: usage.events.get("oom_kill", 0) for usage in cgroups}
    for usage in cgroups:
        above = usage.path.rpartition("/")[0] or "/"
        if usage.version == 2 and usage.path != "/" and above in own:
            own[above] -= usage.events.get("oom_kill", 0)
    found = [(usage, own[usage.path]) for usage in cgroups if own[usage.path] > 0]
    return sorted(found, key=lambda each: -each[1])


def cgroup_table(cgroups: Sequence[CgroupUsage], tr: Translate) -> list[str]:
    """Usage beside limits, a cgroup a row."""
    if not cgroups:
        return []
    rows = [(tr("CGROUP"), tr("USED"), tr("LIMIT"), "%", tr("PEAK"), tr("SWAP"), tr("KILLS"), tr("PATH"))]
    for usage in cgroups:
        limit = usage.effective_max_bytes
        share = (
            "-"
            if limit is None or usage.current_bytes is None or not limit
            else f"{usage.current_bytes * 100 // limit}"
        )
        rows.append(
            (
                short_name(usage.names), size(usage.current_bytes),
                size(limit) if limit is not None else tr("none") if "memory" in usage.unlimited else "?",
                share, size(usage.peak_bytes), size(usage.swap_current_bytes),
                str(usage.events.get("oom_kill", "?")), visible(usage.path),
            )
        )  # fmt: skip
    return aligned(rows, right=range(1, 7))


def process_table(
    processes: Sequence[Process], snapshot: Snapshot, tr: Translate, users: Mapping[int, str]
) -> list[str]:
    """As `ps aux --sort=-rss`, with what the kernel's choice looks at."""
    if not processes:
        return []
    names = {usage.path: usage.names for usage in snapshot.cgroups}
    total = snapshot.host.meminfo.get("mem_total_bytes")
    shared = any(process.pss_bytes is not None for process in processes)
    pss = ("PSS",) if shared else ()
    rows = [("PID", tr("USER"), "RSS", *pss, "%", tr("SWAP"), "ADJ", tr("SCORE"), tr("CGROUP"), tr("COMMAND"))]
    for process in processes:
        rss = process.rss_bytes
        known = names.get(process.cgroup or "")
        rows.append(
            (
                str(process.pid), user(process, users), size(rss), *((size(process.pss_bytes),) if shared else ()),
                f"{rss * 100 / total:.1f}" if rss is not None and total else "?",
                size(process.swap_bytes), number(process.oom_score_adj), number(process.oom_score),
                short_name(known) if known is not None else visible(process.cgroup or "?"),
                shortened(command(process), _COMMAND_COLUMNS),
            )
        )  # fmt: skip
    return aligned(rows, right=(0, *range(2, 7 + len(pss))))


def command(process: Process) -> str:
    """The command line, else the name in brackets, as ps does."""
    return visible(" ".join(process.cmdline)) if process.cmdline else f"[{visible(process.comm)}]"


def user(process: Process, users: Mapping[int, str]) -> str:
    """The user's name, else the number."""
    return "?" if process.uid is None else visible(users.get(process.uid, str(process.uid)))


def number(value: int | None) -> str:
    return "?" if value is None else str(value)
