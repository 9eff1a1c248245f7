"""Times are as exact as the log, and no more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from oomlens.decode.clock import resolve
from oomlens.model.record import Stamp

TOKYO = timezone(timedelta(hours=9))
REFERENCE = datetime(2026, 3, 1, 12, 0, tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("iso", "2026-02-03T04:38:48.176098+09:00", "2026-02-03T04:38:48.176098+09:00"),
        ("iso", "2026-02-03T04:38:48Z", "2026-02-03T04:38:48+00:00"),
        ("iso", "2026-02-03T04:21:46.000003000Z", "2026-02-03T04:21:46.000003+00:00"),
        ("iso", "2026-11-23T07:14:33,098154+0100", "2026-11-23T07:14:33.098154+01:00"),
        ("epoch", "1770092506.000003", "2026-02-03T04:21:46.000003+00:00"),
        ("epoch", "1770092506000003", "2026-02-03T04:21:46.000003+00:00"),
        ("epoch", "1770092506000", "2026-02-03T04:21:46+00:00"),
        ("words", "Mon Nov 23 07:14:33 2025", "2025-11-23T07:14:33+09:00"),
        ("words", "dim. 19 avril 18:03:30 2026", "2026-04-19T18:03:30+09:00"),
        ("words", "Di Aug 12 03:54:03 2025", "2025-08-12T03:54:03+09:00"),
        ("words", "月 11月 24 10:01:02 2025", "2025-11-24T10:01:02+09:00"),
        ("words", "Feb  3 04:57:55", "2026-02-03T04:57:55+09:00"),
        ("words", "Nov 24 10:01:02", "2025-11-24T10:01:02+09:00"),
        ("words", "Feb 29 10:01:02", "2024-02-29T10:01:02+09:00"),
        ("words", "Jul31 01:56", "2025-07-31T01:56:00+09:00"),
    ],
)
def test_a_stamp_becomes_rfc_3339(kind: str, text: str, expected: str) -> None:
    assert resolve(Stamp(kind, text), REFERENCE) == (expected, None)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("words", "Nov 24 10:01:02", "year-not-printed"),
        ("words", "Mon Nov 23 07:14:33 2026", "zone-not-printed"),
        ("iso", "2026-02-03T04:38:48", "zone-not-printed"),
        ("iso", "2026-13-03T04:38:48Z", "time-not-understood"),
        ("words", "??? 99 10:01:02", "time-not-understood"),
        ("epoch", "1e999", "time-not-understood"),
        ("other", "x", "time-not-understood"),
    ],
)
def test_what_is_not_said_stays_unknown(kind: str, text: str, why: str) -> None:
    assert resolve(Stamp(kind, text), None) == (None, why)
