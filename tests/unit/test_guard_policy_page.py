"""docs/guard-policy.md says the code's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import oomlens.policy.choose as choosing
import oomlens.policy.rankings.growth as growth
import oomlens.policy.step as stepping
from oomlens.guard.config.table import Around, make_table
from oomlens.policy.detectors import DETECTORS, thrash
from oomlens.policy.rankings import RANKINGS

PAGE = (Path(__file__).parents[2] / "docs" / "guard-policy.md").read_text(encoding="utf-8")
SCOPE = make_table(None, b"", Around(["oomlens"], "/run/oomlens/guard"))["scopes"][0]


def part(title: str) -> str:
    """The page from a heading to the next."""
    return PAGE.split(f"\n## {title}")[1].split("\n## ")[0]


def level(name: str) -> str:
    """As the page writes it: ≤ 10 % (at most 1 GiB)."""
    fraction, most_kb, least_kb = SCOPE[name]
    assert least_kb is None
    gib, mib = divmod(most_kb, 1 << 20)
    most = f"{gib} GiB" if not mib else f"{most_kb >> 10} MiB"
    return f"≤ {percent(fraction)} (at most {most})"


def percent(fraction: float) -> str:
    """A share as the page writes it."""
    return f"{fraction * 100:g} %"


def rows(title: str) -> list[list[str]]:
    """The cells of its table."""
    lines = [line for line in part(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_three_roads() -> None:
    asked, killed, soon, thrashing, harming = [cells[1] for cells in rows("When")]
    assert [cells[0] for cells in rows("When") if cells[0]] == [detector.ROAD for detector in DETECTORS]
    assert [cells[2] for cells in rows("When")] == ["SIGTERM", "SIGKILL", "SIGTERM", "SIGTERM", "SIGTERM"]
    assert level("term") in asked
    assert f"free swap ≤ {percent(SCOPE['swap_term'])}" in asked
    assert level("kill") in killed
    assert f"free swap ≤ {percent(SCOPE['swap_kill'])}" in killed
    assert level("warn") in soon
    assert f"free swap ≤ {percent(SCOPE['swap_term'])}" in soon
    assert f"within {SCOPE['react_seconds']:g} s" in soon
    assert level("thrash_low") in thrashing
    assert f"≥ {SCOPE['thrash_refaults']:g} file or swap pages a second" in thrashing
    assert f"≥ {thrash.MAJOR_FAULTS_PER_SECOND:g} major faults" in thrashing
    assert f"≥ {percent(SCOPE['thrash_stall'])} of the time" in thrashing
    assert f"for {SCOPE['thrash_seconds']:g} s" in thrashing
    assert level("harm_low") in harming
    assert f"≥ {SCOPE['thrash_refaults']:g} pages a second" in harming
    assert f"≥ {percent(SCOPE['harm_stall'])} of the time" in harming
    assert f"for {SCOPE['harm_seconds']:g} s" in harming


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("When", f"≥ {thrash.MAJOR_FAULTS_WITHOUT_PSI:g} major faults a second stand for the stall"),
        ("Before", f"free swap ≤ {percent(2 * SCOPE['swap_term'])}"),
        ("Before", level("warn").replace(" (", ", ").rstrip(")")),
        ("Before", f"gone within {SCOPE['warn_seconds']:g} s"),
        ("Before", f"held for {stepping.STEADY_SECONDS:g} s"),
        ("Before", f"no more than {percent(stepping.WARN_SHARE)} of memory"),
        ("Before", f"when {stepping.RECOVERED_TIMES:g} times the limit"),
        ("Whom", f"in {growth.AHEAD_SECONDS:g} s (at most {growth.MOST_TIMES_HELD} times"),
        ("Whom", f"`ManagedOOMPreference=avoid` takes {-choosing.AVOID_POINTS}"),
        ("Whom", f"less than {percent(choosing.LEAST_SHARE_OTHER_ROADS)} of memory and swap"),
        ("Whom", f"{choosing.SWARM_COUNT} or more processes"),
        ("Whom", f"hold {choosing.SWARM_TIMES:g} times as much"),
        ("Whom", f"the first of which less than {percent(choosing.SWARM_EACH_SHARE)} of all"),
        ("How", f"grace of {SCOPE['grace_seconds']:g} s runs up to {1 + stepping.GRACE_STALL_TIMES:g} times as fast"),
        ("How", f"With {percent(stepping.LAST_SHARE)} of the kill level left"),
        ("How", f"After {SCOPE['stuck_seconds']:g} s it is stuck"),
        ("How", f"come back for {stepping.BACK_SECONDS:g} s"),
        ("How", f"still short, {SCOPE['cool_seconds']:g} s pass first"),
        ("What it never", f"a pause of {stepping.PAUSE_SECONDS:g} s"),
        ("What it never", f"swap changed by more than {percent(stepping.RESIZED_SHARE)}"),
    ],
)
def test_the_numbers(title: str, told: Any) -> None:
    assert told in part(title)


def test_every_ranking_has_its_row() -> None:
    assert {cells[0].strip("`") for cells in rows("Whom")} == set(RANKINGS)
