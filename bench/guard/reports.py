"""Tables of a run, for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from machine import NS_PER_INSTRUCTION
from works import WORKS

IDLE = (
    "guard",
    "procs",
    "threads",
    "RSS kB",
    "PSS kB",
    "anonymous kB",
    "locked kB",
    "M instr to start",
    "M instr/min idle",
    "wakeups/s",
    "syscalls/s",
)
EVENT = (
    "guard", "outcome", "leaker dead after s", "first signal s", "leaked MB", "lowest available MB", "longest stall s: probe", "service", "reader",
    "stalled in all s: probe", "reader", "PSI some s", "PSI full s", "PSI io some s", "file refaults", "major faults", "swap in/out MB",
    "guard M instr",
)  # fmt: skip


def killed(result: Mapping[str, Any]) -> list[str]:
    """Who died beside the leaker: names, each as often as it died."""
    others = [died[0] if died[2] & 127 else died[0] + " exited" for died in result["died"] if died[0] != "leaker"]
    return others + ["kid"] * int(result["kids_dead"])


def verdict(result: Mapping[str, Any]) -> str:
    """Short words for what happened to whom."""
    if "error" in result:
        return "ERROR"
    others = killed(result)
    if WORKS[result["work"]].nobody_leaks:
        return f"killed: {', '.join(sorted(set(others)))}" if others else "nobody died"
    text = "leaker alive"
    if result["dead_s"] >= 0:
        text = f"{'kernel' if result['kernel_oom_kills'] else 'guard'}, signal {result['signal']}"
    return text + (f", collateral {len(others)} ({', '.join(sorted(set(others)))})" if others else "")


def first_signal(result: Mapping[str, Any], signals: Sequence[int] = (9, 15)) -> float | None:
    """Seconds from the start of the leak to the first such signal to the leaker."""
    for at, signal, _, comm, _ in result.get("signals", []):
        if comm == "leaker" and signal in signals:
            return float(at)
    return None


def row(cells: Sequence[object]) -> str:
    """A row of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A whole table."""
    return "\n".join([row(head), row(["---"] * len(head)), *map(row, rows)])


def idle_row(result: Mapping[str, Any]) -> list[object]:
    """What the guard itself costs."""
    use = result["guard_use"]
    millions = 1000 / NS_PER_INSTRUCTION
    sizes = [f"{use[name]:.0f}" for name in ("rss_kb", "pss_kb", "anon_kb", "locked_kb")]
    cost = [f"{use['start_cpu_s'] * millions:.0f}", f"{use['idle_cpu_s_per_min'] * millions:.2f}"]
    often = [f"{use['idle_switches_per_s']:.2f}", f"{use['idle_syscalls_per_s']:.1f}"]
    return [result["guard"], use["procs"], use["threads"], *sizes, *cost, *often]


def event_row(result: Mapping[str, Any]) -> list[object]:
    """What happened in a cell."""
    signal, dead = first_signal(result), result["dead_s"]
    stalls = [f"{result[name]['max']:.2f}" for name in ("probe", "db", "reader")]
    sums = [f"{result[name]['sum']:.2f}" for name in ("probe", "reader")]
    pressure = [f"{result.get(name, -1):.2f}" for name in ("psi_some_s", "psi_full_s", "psi_io_some_s")]
    return [
        result["guard"],
        verdict(result),
        f"{dead:.2f}" if dead >= 0 else "-",
        "-" if signal is None else f"{signal:.2f}",
        f"{result['leaked_mb']:.0f}",
        f"{result['min_avail_mb']:.0f}",
        *stalls,
        *sums,
        *pressure,
        f"{result['refault_file']:.0f}",
        f"{result['majfault']:.0f}",
        f"{result['pswpin'] / 256:.0f}/{result['pswpout'] / 256:.0f}",
        f"{result['guard_use']['event_cpu_s'] * 1000 / NS_PER_INSTRUCTION:.0f}",
    ]


def tables(results: Sequence[Mapping[str, Any]]) -> str:
    """Every number of a run: one table for the guards at rest, one for each workload."""
    parts: list[str] = []
    good = [result for result in results if "error" not in result]
    resting = [idle_row(result) for result in good if result["work"] == "idle"]
    if resting:
        parts.append(table(IDLE, resting))
    for work, about in WORKS.items():
        rows = [event_row(result) for result in good if result["work"] == work]
        if rows and work != "idle":
            parts += [f"**{work}**: {about.what}", table(EVENT, rows)]
    parts += [f"ERROR {result['guard']} {result['work']}: {result['error']}" for result in results if "error" in result]
    return "\n\n".join(parts)
