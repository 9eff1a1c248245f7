"""JSON on stdout: UTF-8 whatever the locale, never translated."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import orjson

from oomlens.model.codec import report_to_dict
from oomlens.model.report import Report

SCHEMA = "oomlens/scan/1"


def write_line(report: Report) -> None:
    """One report, one line (`--format jsonl`), at once."""
    _write(orjson.dumps(report_to_dict(report), option=orjson.OPT_APPEND_NEWLINE))


def write_lines(reports: Iterable[Report]) -> None:
    """All reports, one a line."""
    for report in reports:
        _write(orjson.dumps(report_to_dict(report), option=orjson.OPT_APPEND_NEWLINE))


def write_document(reports: Iterable[Report]) -> None:
    """One document for a whole scan (`--format json`)."""
    write_value({"schema": SCHEMA, "reports": [report_to_dict(report) for report in reports]})


def write_value(value: Any) -> None:
    """Any JSON value, indented."""
    _write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _write(data: bytes) -> None:
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode())
    else:
        buffer.write(data)
