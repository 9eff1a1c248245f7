"""JSON on stdout: UTF-8 whatever the locale, never translated."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import orjson

from oomlens.model.codec import report_to_dict
from oomlens.model.report import Origin, Report
from oomlens.pipeline import light

SCHEMA = "oomlens/scan/1"


def write_line(report: Report) -> None:
    """One report, one line (`--format jsonl`), at once."""
    _write(orjson.dumps(report_to_dict(report), option=orjson.OPT_APPEND_NEWLINE))


class Spool:
    """Reports as JSON in a temporary file, so that a scan's memory does not grow with what it finds."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="oomlens-")  # noqa: SIM115 - lives as long as the scan
        self._places: dict[Origin, tuple[int, int]] = {}

    def keep(self, report: Report) -> Report:
        """Puts the report aside; returns its light form, to be merged."""
        data = orjson.dumps(report_to_dict(report))
        self._places[report.origin] = self._file.tell(), len(data)
        self._file.write(data)
        return light(report)

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()

    def whole(self, report: Report) -> dict[str, Any]:
        """The whole JSON object of a merged light report."""
        place, length = self._places[report.origin]
        self._file.seek(place)
        entry: dict[str, Any] = orjson.loads(self._file.read(length))
        # What merging may have changed.
        merged = report_to_dict(report)
        entry.update({key: merged[key] for key in _MERGED})
        return entry


_MERGED = ("also_in", "time", "host", "uptime_seconds", "kernel_release", "victims", "notices", "gaps")


def write_lines(spool: Spool, reports: Iterable[Report]) -> None:
    """All reports, one a line."""
    for report in reports:
        _write(orjson.dumps(spool.whole(report), option=orjson.OPT_APPEND_NEWLINE))


def write_document(spool: Spool, reports: Iterable[Report]) -> None:
    """One document for a whole scan (`--format json`), written report by report."""
    _write(b'{"schema":' + orjson.dumps(SCHEMA) + b',"reports":[')
    for number, report in enumerate(reports):
        _write((b",\n" if number else b"\n") + orjson.dumps(spool.whole(report), option=orjson.OPT_INDENT_2))
    _write(b"\n]}\n")


def write_value(value: Any) -> None:
    """Any JSON value, indented."""
    _write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_compact(value: Any) -> None:
    """Any JSON value on one line."""
    _write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))


def _write(data: bytes) -> None:
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode())
    else:
        buffer.write(data)
