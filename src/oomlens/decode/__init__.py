"""Bytes -> reports: a pure function of the bytes, safe to cut at any line."""

from __future__ import annotations

from datetime import datetime

from oomlens.decode.assemble import assemble
from oomlens.decode.rejoin import rejoin
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
    return assemble(rejoin([record for record in found if record.ident in _KERNEL_IDENTS]), source, reference)
