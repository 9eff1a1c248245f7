"""The flight recorder's samples -> the past that a watch begins with."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.model.history import HostFigures, Sample
from oomlens.predict.trend import Point
from oomlens.predict.watch import Identity, Past


def past_of(samples: Sequence[Sample], boot_id: str | None) -> Past:
    """Curves by what they are of. Processes and cgroups only of this boot: their names are used again after the next."""
    host: dict[str, list[Point]] = {}
    processes: dict[Identity, list[Point]] = {}
    cgroups: dict[str, list[Point]] = {}
    for sample in samples:
        at = sample.time_seconds
        for name, value in _host(sample.host).items():
            if value is not None:
                host.setdefault(name, []).append((at, value))
        if boot_id is None or sample.boot_id != boot_id:
            continue
        for process in sample.processes:
            if process.rss_bytes is not None and process.swap_bytes is not None:
                key = (process.pid, round(process.started_uptime_seconds, 2))
                processes.setdefault(key, []).append((at, process.rss_bytes + process.swap_bytes))
        for cgroup in sample.cgroups:
            if cgroup.held_bytes is not None:
                cgroups.setdefault(cgroup.path, []).append((at, cgroup.held_bytes))
    return Past(host, processes, cgroups)


def _host(figures: HostFigures) -> dict[str, float | None]:
    """By the names of a watch's series. Between samples the kernel's average over 10 seconds stands for the stalls."""

    def used(total: int | None, free: int | None) -> int | None:
        return None if total is None or free is None else total - free

    return {
        "ram_used_bytes": used(figures.total_bytes, figures.available_bytes),
        "swap_used_bytes": used(figures.swap_total_bytes, figures.swap_free_bytes),
        "some_percent": figures.some_avg10_percent,
        "full_percent": figures.full_avg10_percent,
    }
