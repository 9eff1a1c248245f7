"""Text about OOM that is no kill: nothing may be found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.model.report import Kind
from support.decode import decode

FILES = sorted((Path(__file__).parent / "negative").glob("*.txt"))


def test_there_is_a_negative_corpus() -> None:
    assert len(FILES) >= 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_kill_is_found(path: Path) -> None:
    found = decode(path.read_bytes())
    assert [report.message for report in found if report.kind is not Kind.APPLICATION] == []
    assert found == []
