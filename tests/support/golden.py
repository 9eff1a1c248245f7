"""The accepted full decode of a case: the JSON contract, laid out so that a change reads as a few changed lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from oomlens.model.codec import report_to_dict
from oomlens.model.report import Report

# The reference time of a case is not known, so resolved times are not part of it.
_LEFT_OUT = ("schema", "also_in")
_ONE_A_LINE = ("tasks", "victims", "trace", "gaps", "notices")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _lean(value: Any) -> Any:
    """Without keys that say nothing: null, empty."""
    if isinstance(value, dict):
        return {key: _lean(part) for key, part in value.items() if part is not None and part != [] and part != {}}
    return [_lean(part) for part in value] if isinstance(value, list) else value


def _entry(key: str, value: Any) -> str:
    if key in _ONE_A_LINE and value:
        rows = ",\n  ".join(_compact(_lean(part)) for part in value)
        return f'"{key}":[\n  {rows}]'
    return f'"{key}":{_compact(_lean(value))}'


def as_golden(reports: Sequence[Report]) -> str:
    """All reports as one JSON array: a key a line, tasks and victims one a line."""
    done = []
    for report in reports:
        entry = report_to_dict(report)
        del entry["origin"]["source"]
        entries = entry.items()
        lines = [_entry(key, value) for key, value in entries if key not in _LEFT_OUT and value not in (None, [], {})]
        done.append("{\n " + ",\n ".join(lines) + "\n}")
    return "[\n" + ",\n".join(done) + "\n]\n"
