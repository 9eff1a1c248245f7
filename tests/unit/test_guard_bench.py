"""The page of the guard bench is made of its results; the bench judges a soak and a target rightly."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench/guard"
RESULTS = BENCH / "results.json"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    names = ("machine", "works", "reports", "targets", "soak", "guard_folders", "table", "kept")
    monkeypatch.syspath_prepend(str(BENCH))
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def test_the_page_is_that_of_the_results() -> None:
    command = [sys.executable, str(BENCH / "table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_guard_and_workload_has_its_cell(bench: dict[str, ModuleType]) -> None:
    cells = {(row["guard"], row["work"]) for row in json.loads(RESULTS.read_text())["results"]}
    for folder in sorted((BENCH / "guards").iterdir()):
        info = json.loads((folder / "guard.json").read_text())
        for name, work in bench["works"].WORKS.items():
            if not (name == "idle" and folder.name == "none") and (not work.asked_for or name in info.get("works", [])):
                assert (folder.name, name) in cells


def one_round(**changed: Any) -> dict[str, Any]:
    calm = {"kind": "fast", "dead_s": 1.2, "died": [["leaker", 1.2, 9]], "kids_dead": 0}
    return {**calm, "guard_rss_kb": 10000, "guard_fds": 14, **changed}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({}, None),
        ({"guard_rss_kb": 11000}, "the guard grew"),
        ({"guard_fds": 15}, "open files"),
        ({"dead_s": -1.0}, "was not killed"),
        ({"kids_dead": 1}, "killed as well"),
        ({"died": [["leaker", 1.2, 9], ["db", 1.3, 15]]}, "killed as well: db"),
    ],
)
def test_a_soak_is_judged(bench: dict[str, ModuleType], last: dict[str, Any], said: str | None) -> None:
    result = {
        "guard_alive": True,
        "kernel_oom_kills": 0,
        "rounds": [one_round() for _ in range(5)] + [one_round(**last)],
    }
    faults = bench["soak"].judge(result)
    assert faults == [] if said is None else said in faults[0]


def test_a_dead_guard_and_a_kernel_kill_are_faults(bench: dict[str, ModuleType]) -> None:
    faults = bench["soak"].judge({"guard_alive": False, "kernel_oom_kills": 2, "rounds": [one_round()]})
    assert faults == ["the guard is dead", "the kernel had to kill 2 times"]


def test_an_unknown_figure_meets_no_target(bench: dict[str, ModuleType]) -> None:
    for target in bench["targets"].TARGETS:
        assert not target.met(None)
        bound = target.most if target.most is not None else target.least
        assert target.met(bound)
        assert not target.met(bound + 1 if target.most is not None else bound - 1)


def test_the_first_signal_is_the_leakers(bench: dict[str, ModuleType]) -> None:
    signals = [[0.5, 15, 7, "db", "x"], [1.0, 15, 8, "leaker", "x"], [1.5, 9, 8, "leaker", "x"]]
    assert bench["reports"].first_signal({"signals": signals}) == 1.0
    assert bench["reports"].first_signal({"signals": signals}, (9,)) == 1.5
    assert bench["reports"].first_signal({}) is None


def test_results_replace_those_of_the_same_cell(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    file, keep = tmp_path / "results.json", bench["kept"].keep
    log = '{"event": "warned", "uptime_seconds": 12.5}\nno json\n{"event": "decided", "took_ms": 7.5}'
    keep(file, {"ram_mb": 512}, [{"guard": "a", "work": "fast", "dead_s": 1, "uptime0_s": 10.0, "log": log}])
    keep(
        file,
        {"ram_mb": 512},
        [{"guard": "b", "work": "fast", "dead_s": 2}, {"guard": "a", "work": "slow", "dead_s": 3}],
    )
    keep(file, {"ram_mb": 512}, [{"guard": "b", "work": "fast", "dead_s": 4}])
    rows = json.loads(file.read_text())["results"]
    assert [(row["guard"], row["work"], row["dead_s"]) for row in rows] == [
        ("a", "fast", 1),
        ("b", "fast", 4),
        ("a", "slow", 3),
    ]
    assert (rows[0]["warned_s"], rows[0]["decided_ms"]) == (2.5, 7.5)
    assert "log" not in rows[0]
    keep(file, {"ram_mb": 256}, [{"guard": "c", "work": "fast", "dead_s": 5}])  # another machine: not side by side
    assert [row["guard"] for row in json.loads(file.read_text())["results"]] == ["c"]
