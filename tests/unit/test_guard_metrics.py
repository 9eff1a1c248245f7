"""The guard's figures as Prometheus reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.guard_events import HOSTILE
from support.prometheus import parse


def put(root: Path, content: bytes) -> Path:
    place = root / "run/oomlens/guard/state.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_figures_of_a_guard_that_runs_and_of_one_that_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scopes = [
        {"name": HOSTILE, "available_kb": 46, "total_kb": None, "level": "low"},
        {"name": "b", "seconds_left": 2.5},
        7,
    ]
    state = {"schema": "oomlens/guard-state/1", "scopes": scopes, "counts": {"term": 3, "kill": "x"}}
    place = put(tmp_path, json.dumps(state).encode())
    target = tmp_path / "g.prom"
    assert main(["guard", "--root", str(tmp_path), "metrics", str(target)]) == 0
    found = parse(target.read_text(encoding="utf-8"))
    assert found["oomlens_guard_up"].series == {(): 1.0}
    assert found["oomlens_guard_term_total"].series == {(): 3.0}
    assert "oomlens_guard_kill_total" not in found
    assert "oomlens_guard_total_bytes" not in found
    assert found["oomlens_guard_available_bytes"].series == {(("scope", HOSTILE),): 46 * 1024}
    assert found["oomlens_guard_left_seconds"].series == {(("scope", "b"),): 2.5}
    assert found["oomlens_guard_level"].series[("level", "low"), ("scope", HOSTILE)] == 1.0
    os.utime(place, (1, 1))
    assert main(["guard", "--root", str(tmp_path), "metrics"]) == 0
    found = parse(capsys.readouterr().out)
    assert (found["oomlens_guard_up"].series[()], found["oomlens_guard_term_total"].series[()]) == (0.0, 3.0)


@pytest.mark.parametrize("content", [None, b"", b"[1]", b"{", b"[" * 100_000])
def test_without_a_state_it_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None) -> None:
    if content is not None:
        put(tmp_path, content)
    assert main(["guard", "--root", str(tmp_path), "metrics", "-"]) == 0
    found = parse(capsys.readouterr().out)
    assert {name: family.series for name, family in found.items()} == {"oomlens_guard_up": {(): 0.0}}
