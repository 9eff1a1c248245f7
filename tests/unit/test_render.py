"""What people see: complete, aligned, and safe whatever a process calls itself."""

from __future__ import annotations

import csv
import io

import pytest

from oomlens.i18n import english, translator
from oomlens.render import listing, show, table
from oomlens.render.sanitize import csv_cell, fit, markdown, visible, width
from oomlens.render.sizes import size
from support.cases import all_cases
from support.decode import decode

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "a\nFAKE ROW",
    "a|b`*<i>",
    "=cmd|' /C'!A0",
    "\u202egnp.exe",
    "\x9b2J",
    "\r overwritten",
    "x" * 15,
]
CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "?"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (3584000000, "3.3 GiB"),
        (-2048, "-2 KiB"),
        (1 << 62, "4096 PiB"),
    ],
)
def test_sizes_are_readable(value: int | None, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_cell(name: str) -> None:
    text = f"6,1,2000000,-;Out of memory: Killed process 7 ({name}) total-vm:8kB, anon-rss:4kB"
    reports = decode(text.replace("\n", "\\x0a").replace("\x1b", "\\x1b"))
    assert len(reports) == 1
    for shown in (
        table.render(reports, english),
        show.render(reports[0], english),
        listing.to_markdown(reports, english),
    ):
        assert not any(ord(character) < 32 and character != "\n" for character in shown)
        assert "\u202e" not in shown
        assert "\x9b" not in shown
    assert table.render(reports, english).count("\n") == 2
    (row,) = list(csv.DictReader(io.StringIO(listing.to_csv(reports))))
    assert row["victim_pid"] == "7"
    assert not row["victim_comm"].startswith(("=", "+", "-", "@"))


def test_markdown_cells_cannot_break_the_table() -> None:
    assert markdown("a|b") == "a\\|b"
    assert markdown("<script>") == "\\<script\\>"
    assert visible("a\u2028b") == "a\\u2028b"
    assert csv_cell("-x") == "'-x"


def test_wide_characters_are_counted_as_two_columns() -> None:
    assert width("日本") == 4
    assert fit("日", 4) == "日  "


def test_the_table_in_english() -> None:
    reports = decode(CASES["web-kubepods-java-shmem-418"].log)
    (head, row, *_) = table.render(reports, english).splitlines()
    assert head.split() == ["ID", "TIME", "HOST", "VICTIM", "SIZE", "SCOPE", "LIMIT", "CAUSE"]
    assert "java[7093]" in row
    assert "memcg pod d63c4bbe / docker 083afd1a06b8" in row
    assert row.endswith("limit 32 GiB reached")


def test_the_table_in_japanese() -> None:
    tr = translator("ja")
    shown = table.render(decode(CASES["oa-rhel7-mysqld-310"].log), tr)
    assert "被害プロセス" in shown
    assert "RAM とスワップが枯渇" in shown


def test_the_whole_report_says_everything_and_what_is_missing() -> None:
    (report,) = decode(CASES["oa-rhel7-mysqld-310"].log)
    shown = show.render(report, english)
    assert "mysqld[6576]" in shown
    assert "anon 19.7 GiB" in shown  # 20629004 kB / 1024 / 1024
    assert "below min" in shown
    assert "*6576" in shown
    assert "85 processes" in shown
    assert "time: no-wall-clock-in-log" in shown


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_every_case_can_be_shown_in_both_languages(case: object) -> None:
    reports = decode(case.log)  # type: ignore[attr-defined]
    for language in ("en", "ja"):
        tr = translator(language)
        assert table.render(reports, tr).count("\n") == len(reports) + 1
        listing.to_csv(reports)
        listing.to_markdown(reports, tr)
        for report in reports:
            assert report.id in show.render(report, tr)


def test_nothing_found_is_said() -> None:
    assert listing.summary([], english) == "No OOM kill found."
