"""A history for other programs: JSON lines, or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

from oomlens.model.history import CgroupFigures, History, HostFigures, ProcessFigures, Sample
from oomlens.model.history_codec import kill_to_dict

SAMPLE_SCHEMA = "oomlens/sample/1"
KILL_SCHEMA = "oomlens/kill/1"
# Rows that are held in memory at a time.
_BATCH_ROWS = 50_000


class NoParquetError(Exception):
    """pyarrow is not installed."""


def json_lines(history: History) -> Iterator[dict[str, Any]]:
    """A JSON object for each sample, then for each kill, in the order of recording."""
    for sample in history.samples:
        yield sample_to_dict(sample)
    for kill in history.kills:
        yield {"schema": KILL_SCHEMA, **kill_to_dict(kill)}


def sample_to_dict(sample: Sample) -> dict[str, Any]:
    """The sample as JSON values; what is not known is null."""
    return {
        "schema": SAMPLE_SCHEMA,
        "time_seconds": sample.time_seconds,
        "uptime_seconds": sample.uptime_seconds,
        "boot_id": sample.boot_id,
        "host": sample.host._asdict(),
        "cgroups": [{**row._asdict(), "held_bytes": row.held_bytes} for row in sample.cgroups],
        "processes": [{**row._asdict(), "held_bytes": row.held_bytes} for row in sample.processes],
    }


# One table: a row for the machine, each cgroup and each process of each sample; columns that a row has not are null.
_TEXTS = ("boot_id", "kind", "path", "comm", "cgroup", "container", "pod")
_REALS = (
    "uptime_seconds", "started_uptime_seconds", "some_avg10_percent", "full_avg10_percent", "some_stalled_seconds",
    "full_stalled_seconds",
)  # fmt: skip


def columns() -> tuple[str, ...]:
    """Names of the table's columns, in order."""
    fields = (*HostFigures._fields, *CgroupFigures._fields, "held_bytes", *ProcessFigures._fields)
    return tuple(dict.fromkeys(("time", "boot_id", "uptime_seconds", "kind", *fields)))


def _rows(sample: Sample) -> Iterator[dict[str, Any]]:
    head = {
        "time": round(sample.time_seconds * 1e6),
        "boot_id": sample.boot_id,
        "uptime_seconds": sample.uptime_seconds,
    }
    yield {**head, "kind": "host", **sample.host._asdict()}
    for kind, rows in (("cgroup", sample.cgroups), ("process", sample.processes)):
        for row in rows:
            yield {**head, "kind": kind, **row._asdict(), "held_bytes": row.held_bytes}


def write_parquet(samples: Sequence[Sample], file: IO[bytes]) -> int:
    """Writes the table; gives the number of its rows. Raises NoParquetError, OSError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise NoParquetError from error
    kinds = {name: pa.string() for name in _TEXTS} | {name: pa.float64() for name in _REALS}
    kinds["time"] = pa.timestamp("us", tz="UTC")
    schema = pa.schema([(name, kinds.get(name, pa.int64())) for name in columns()])
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting: list[dict[str, Any]] = []
        for sample in samples:
            waiting += map(_clean, _rows(sample))
            if len(waiting) >= _BATCH_ROWS:
                writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
                count += len(waiting)
                waiting.clear()
        writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
    return count + len(waiting)


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """Parquet's texts are UTF-8; what is not, such as lone surrogates, is shown as escapes."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in row.items()
    }
