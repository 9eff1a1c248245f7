"""A sample in the Prometheus text format, for the textfile collector of node_exporter (prometheus.io, exposition formats 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from oomlens.model.history import CgroupFigures, ProcessFigures, Sample

Labels = Mapping[str, str]
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_PARTS = (
    "free", "anon", "file", "shmem", "slab_reclaimable", "slab_unreclaimable", "pagetables", "kernel_stack", "hugetlb",
)  # fmt: skip


class Metric(NamedTuple):
    """A metric. kind: gauge or counter. series: labels and value; a value that is not known has no line."""

    name: str
    kind: str
    help: str
    series: tuple[tuple[Labels, float | int | None], ...]


def exposition(sample: Sample, *, history_bytes: int | None = None) -> str:
    """The text of a whole file; ends with a newline."""
    return exposed(_metrics(sample, history_bytes))


def exposed(metrics: Iterable[Metric]) -> str:
    """The text of metrics; one without a known value is left out."""
    return "".join(line for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    known = [(labels, value) for labels, value in metric.series if value is not None]
    if not known:
        return
    yield f"# HELP {metric.name} {metric.help}\n"
    yield f"# TYPE {metric.name} {metric.kind}\n"
    for labels, value in known:
        told = ",".join(f'{name}="{label_value(text)}"' for name, text in labels.items())
        yield f"{metric.name}{'{' + told + '}' if told else ''} {number(value)}\n"


def label_value(text: str) -> str:
    """A text as the value of a label: any UTF-8, three characters escaped."""
    return text.encode("utf-8", "backslashreplace").decode().translate(_ESCAPES)


def number(value: float) -> str:
    """A value; whole numbers exactly."""
    return str(value) if isinstance(value, int) else repr(value)


def _one(value: float | None) -> tuple[tuple[Labels, float | int | None], ...]:
    return (({}, value),)


def _metrics(sample: Sample, history_bytes: int | None) -> Iterator[Metric]:
    host = sample.host
    yield Metric("oomlens_memory_total_bytes", "gauge", "RAM that the kernel manages.", _one(host.total_bytes))
    available = "Memory that programs can get without swapping (MemAvailable)."
    yield Metric("oomlens_memory_available_bytes", "gauge", available, _one(host.available_bytes))
    parts = tuple(({"part": part}, getattr(host, f"{part}_bytes")) for part in _PARTS)
    yield Metric("oomlens_memory_part_bytes", "gauge", "What the RAM is used for.", parts)
    yield Metric("oomlens_swap_total_bytes", "gauge", "Size of all swap areas.", _one(host.swap_total_bytes))
    yield Metric("oomlens_swap_free_bytes", "gauge", "Swap that is not used.", _one(host.swap_free_bytes))
    stalled = (({"tasks": "some"}, host.some_stalled_seconds), ({"tasks": "full"}, host.full_stalled_seconds))
    told = "Time that some tasks, or all of them (full), stood still for memory (PSI)."
    yield Metric("oomlens_memory_stalled_seconds_total", "counter", told, stalled)
    told = "Processes that the kernel killed for memory since boot, of the machine and of cgroups."
    yield Metric("oomlens_oom_kills_total", "counter", told, _one(host.oom_kills))
    yield from _cgroup_metrics(sample.cgroups)
    held = tuple((_process_labels(row), row.held_bytes) for row in sample.processes)
    yield Metric("oomlens_process_held_bytes", "gauge", "RSS, swap and page tables of the largest processes.", held)
    told = "When these figures were taken, in seconds of the epoch."
    yield Metric("oomlens_sample_timestamp_seconds", "gauge", told, _one(sample.time_seconds))
    yield Metric("oomlens_history_bytes", "gauge", "Size of the recorder's files.", _one(history_bytes))


def _cgroup_metrics(rows: Iterable[CgroupFigures]) -> Iterator[Metric]:
    labelled = [(_cgroup_labels(row), row) for row in rows]

    def metric(name: str, kind: str, told: str, figure: str) -> Metric:
        return Metric(name, kind, told, tuple((labels, getattr(row, figure)) for labels, row in labelled))

    yield metric("oomlens_cgroup_memory_bytes", "gauge", "Memory charged to a cgroup.", "current_bytes")
    told = "Memory of a cgroup that reclaim cannot simply drop: without page cache and reclaimable slab."
    yield metric("oomlens_cgroup_held_bytes", "gauge", told, "held_bytes")
    told = "The limit that counts for a cgroup: its own or an ancestor's, whichever is tighter."
    yield metric("oomlens_cgroup_limit_bytes", "gauge", told, "effective_max_bytes")
    yield metric("oomlens_cgroup_oom_kills_total", "counter", "Kills in a cgroup, by its own counter.", "oom_kills")


def _cgroup_labels(row: CgroupFigures) -> Labels:
    return {"cgroup": row.path, **_named(container=row.container, pod=row.pod)}


def _process_labels(row: ProcessFigures) -> Labels:
    return {"pid": str(row.pid), "comm": row.comm, **_named(cgroup=row.cgroup)}


def _named(**labels: str | None) -> dict[str, str]:
    return {name: text for name, text in labels.items() if text}
