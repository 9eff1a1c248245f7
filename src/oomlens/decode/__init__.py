"""Bytes -> reports: a pure function of the bytes, safe to cut at any line."""

from __future__ import annotations

from datetime import datetime

from oomlens.decode.assemble import assemble
from oomlens.decode.rejoin import rejoin
from oomlens.decode.sighted import sighted
from oomlens.decode.sightings import read_sightings
from oomlens.decode.unwrap import records
from oomlens.model.report import Report

# Who may print a kernel line: nobody named (plain dmesg text), or the kernel under one of its names in logs.
_KERNEL_IDENTS = frozenset({None, "kernel", "kern", "klogd"})


def decode_window(
    data: bytes, first_byte: int, first_line: int, source: str, reference: datetime | None
) -> list[Report]:
    """All reports in a window of a source, in the order of their first byte. Never raises.

    first_byte, first_line: where the window stands in the source (bytes from 0, lines from 1).
    reference: when the source was last written; resolves stamps that lack a year or a zone.
    """
    found = records(data, first_byte, first_line)
    sightings = read_sightings(found)
    reports = [sighted(sighting, found[start:end], source, reference) for sighting, start, end in sightings]
    # A kernel line that another program quotes is that program's word, not the kernel's.
    quoted = {index for _, start, end in sightings for index in range(start, end)}
    kernel = [record for index, record in enumerate(found) if record.ident in _KERNEL_IDENTS and index not in quoted]
    reports += assemble(rejoin(kernel), source, reference)
    reports.sort(key=lambda report: report.origin.first_byte)
    return reports
