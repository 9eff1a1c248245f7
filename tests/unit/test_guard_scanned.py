"""What reclaim scans of each cgroup, for the ranking "pressure": one rate for all that are in it, since the guard began to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomlens.guard.loop import candidates as module
from oomlens.guard.loop.candidates import Candidates
from oomlens.guard.loop.cgroups import Hierarchy
from support.fake_machine import write


class Clock:
    """A time that stands still until it is set."""

    seconds = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the loop's."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def scanned(root: Path, **pages: int) -> None:
    """The pages that reclaim has scanned of each cgroup so far."""
    for cgroup, count in pages.items():
        write(root / f"sys/fs/cgroup/{cgroup}/memory.stat", f"anon 1\npgscan {count}\npgscan_kswapd 7\n")


def machine(root: Path) -> Candidates:
    """Two processes in /a, one in /b."""
    write(root / "sys/fs/cgroup/cgroup.controllers", "memory\n")
    for pid, cgroup in ((11, "a"), (12, "a"), (13, "b")):
        write(root / f"proc/{pid}/oom_score", "9\n")
        write(root / f"proc/{pid}/stat", f"{pid} (x) S " + "0 " * 40)
        write(root / f"proc/{pid}/status", "Uid:\t0\t0\t0\t0\nVmRSS:\t  1000 kB\n")
        write(root / f"proc/{pid}/cgroup", f"0::/{cgroup}\n")
    return Candidates(Hierarchy(str(root)), str(root))


def rates(candidates: Candidates) -> dict[int, float | None]:
    """Of each process."""
    return {each.pid: each.scanned_pages_per_second for each in candidates.read([11, 12, 13], scanned=True)}


def test_all_of_a_cgroup_have_its_rate_since_the_first_look(tmp_path: Path, clock: Clock) -> None:
    candidates = machine(tmp_path)
    scanned(tmp_path, a=1000, b=50)
    candidates.remember([11, 12, 13], scanned=True)
    clock.seconds += 2
    scanned(tmp_path, a=3000, b=50)
    assert rates(candidates) == {11: 1000.0, 12: 1000.0, 13: 0.0}


def test_without_a_look_before_it_is_unknown(tmp_path: Path, clock: Clock) -> None:
    candidates = machine(tmp_path)
    scanned(tmp_path, a=1000, b=50)
    assert rates(candidates) == {11: None, 12: None, 13: None}
    clock.seconds += 0.05  # too short to say anything
    scanned(tmp_path, a=1001, b=50)
    assert rates(candidates) == {11: None, 12: None, 13: None}
