"""Events of the guard as it writes them (JSON objects), for the programs that read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Event = dict[str, Any]
START = 1_795_669_200.0  # 2026-11-26T05:00:00Z
# What a process may call itself: a line of ours, cursor movements, right-to-left, markup, a broken surrogate's stand-in.
HOSTILE = "a\x1b[2J\n\u202edaer <b>& $(x)\ufffd"


def event(kind: str, after_seconds: float = 0.0, **more: Any) -> Event:
    moment = datetime.fromtimestamp(START + after_seconds, UTC)
    return {
        "schema": "oomlens/guard-event/1",
        "event": kind,
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "uptime_seconds": 1000.0 + after_seconds,
        "pid": 700,
        "digest": "0123456789ab",
        "scope": "machine",
        "dry_run": False,
        **more,
    }


def victim(pid: int = 1234, comm: str = "leak", **more: Any) -> Event:
    return {
        "pid": pid, "start_ticks": 99_000, "comm": comm, "cmdline": "python3 leak.py --fast", "uid": 1000,
        "cgroup": "/user.slice/user-1000.slice/session-3.scope", "unit": "session-3.scope", "container": None,
        "oom_score": 812, "oom_score_adj": 0, "rss_kb": 380_000, "swap_kb": 0, "growth_kb_per_second": 122_880.0,
        "points": 802, "terms": [["oom_score", 512], ["growth", 90], ["prefer: batch", 200]], **more,
    }  # fmt: skip


def sample(**more: Any) -> Event:
    return {
        "available_kb": 46_000, "total_kb": 490_000, "swap_total_kb": 0, "swap_free_kb": 0,
        "fill_kb_per_second": 230_000.0, "seconds_left": 0.2, "refaults_per_second": None, **more,
    }  # fmt: skip


def decided(after_seconds: float = 0.0, **more: Any) -> Event:
    base = {
        "road": "exhaustion",
        "evidence": [
            {"name": "available_kb", "value": 46_000, "comparison": "<=", "bound": 47_104},
            {"name": "seconds_left", "value": 0.15, "comparison": "<=", "bound": 0.2},
        ],
        "sample": sample(),
        "state": {"level": "low"},
        "victim": victim(),
        "object": "process",
        "processes": 1,
        "target_cgroup": None,
        "candidates": [
            victim(),
            victim(50, "postgres", points=300, terms=[["oom_score", 300]], cgroup="/system.slice/db.service"),
        ],
        "passed_over": [{"pid": 60, "comm": "sshd", "why": "exempt: remote access"}],
        "signal": "TERM",
    }
    return event("decided", after_seconds, **{**base, **more})


def signalled(after_seconds: float, signal: str = "TERM", *, of: Event | None = None, **more: Any) -> Event:
    return event("signalled", after_seconds, victim=of or victim(), signal=signal, **more)


def story() -> list[Event]:
    """A stubborn victim: asked, killed, gone, memory is back."""
    return [
        event("started", -60.0, detail="preset:server"),
        event("warned", -5.0, sample=sample(available_kb=90_000, seconds_left=12.0)),
        decided(),
        signalled(0.003, "TERM", after_ms=3),
        signalled(2.0, "KILL", after_ms=2000),
        event("gone", 2.1, victim=victim(), after_ms=2100, freed_kb=380_000),
        event("recovered", 2.2, sample=sample(available_kb=400_000)),
    ]


def lines(events: Iterable[Event]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def write_log(place: Path, events: Iterable[Event]) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(lines(events))
    return place
