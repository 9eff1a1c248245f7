"""Keeps the raw text of reports beside the decode, for pages that show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from oomlens.decode import decode_window
from oomlens.model.report import Report

# A report of thousands of processes is some hundred KiB; what is shown of one is bounded.
_MOST_BYTES = 4 << 20


class Texts:
    """A decode function that remembers the bytes of each report."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], bytes] = {}

    def decode(
        self, data: bytes, first_byte: int, first_line: int, source: str, reference: datetime | None
    ) -> Sequence[Report]:
        """`decode_window`, remembering."""
        reports = decode_window(data, first_byte, first_line, source, reference)
        for report in reports:
            begin, end = report.origin.first_byte - first_byte, report.origin.last_byte - first_byte
            self._kept[report.origin.source, report.origin.first_byte] = data[
                max(begin, 0) : min(end, begin + _MOST_BYTES)
            ]
        return reports

    def of(self, report: Report) -> bytes:
        """The bytes of a report's lines, from `origin.first_line` on; empty where they were not kept."""
        return self._kept.get((report.origin.source, report.origin.first_byte), b"")
