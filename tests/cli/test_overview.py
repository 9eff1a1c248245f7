"""Plain `oomlens`: the short answer in one screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oomlens.cli.main import main
from oomlens.cli.reading import Reading
from oomlens.decode import decode_window
from oomlens.model.report import Report
from support.cases import all_cases

LOGS = {case.name: case.log for case in all_cases()}


def with_log(monkeypatch: pytest.MonkeyPatch, log: bytes) -> None:
    def reports(reading: Reading) -> Iterator[Report]:
        reading.read.append("kern.log")
        yield from decode_window(log, 0, 1, "kern.log", None)

    monkeypatch.setattr(Reading, "reports", reports)


def test_the_latest_kill_is_told_in_a_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_log(monkeypatch, LOGS["oa-rhel7-mysqld-310"])
    assert main(["--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 out-of-memory kills")
    assert "looked at: kern.log" in out
    assert "mysqld[6576]" in out
    assert "OOM107" in out
    assert "Memory now" in out
    assert "oomlens diagnose" in out
    assert len(out.splitlines()) <= 30


def test_a_machine_without_kills_shows_its_headroom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_log(monkeypatch, b"all is well\n")
    assert main(["--lang", "ja"]) == 0
    out = capsys.readouterr().out
    assert "このマシンのログに OOM による強制終了はありません" in out
    assert "利用可能" in out
    assert "oomlens predict" in out
