"""Figures of the running machine agree with those of the programs that people know."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.host.read.snapshot import read_snapshot

pytestmark = pytest.mark.live
# Memory moves between two readings.
DRIFT_BYTES = 64 << 20


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    program = "import time; held = bytearray(8 << 20); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_totals_are_those_of_free() -> None:
    if shutil.which("free") is None:
        pytest.skip("free is not installed")
    rows = subprocess.run(["free", "-b", "-w"], capture_output=True, text=True, check=True).stdout.splitlines()
    heads = rows[0].split()
    memory = dict(zip(heads, map(int, rows[1].split()[1:]), strict=True))
    swap = [int(cell) for cell in rows[2].split()[1:]]
    meminfo = read_snapshot().host.meminfo
    assert meminfo["mem_total_bytes"] == memory["total"]
    assert abs(meminfo["mem_free_bytes"] - memory["free"]) < DRIFT_BYTES
    assert abs(meminfo["mem_available_bytes"] - memory["available"]) < DRIFT_BYTES
    assert abs(meminfo["shmem_bytes"] - memory["shared"]) < DRIFT_BYTES
    assert meminfo["swap_total_bytes"] == swap[0]
    assert abs(meminfo["swap_free_bytes"] - swap[2]) < DRIFT_BYTES


def test_a_process_is_that_of_ps(sleeper: subprocess.Popen[bytes]) -> None:
    if shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    columns = "rss=,vsz=,nlwp=,uid=,ppid=,comm="
    cells = subprocess.run(["ps", "-o", columns, "-p", str(sleeper.pid)], capture_output=True, text=True, check=True)
    rss, vsz, threads, uid, ppid, comm = cells.stdout.split()
    (process,) = [each for each in read_snapshot().processes if each.pid == sleeper.pid]
    assert process.rss_bytes is not None
    assert abs(process.rss_bytes - int(rss) * 1024) <= 1 << 20
    assert process.total_vm_bytes == int(vsz) * 1024
    assert (process.threads, process.uid, process.ppid, process.comm) == (int(threads), int(uid), int(ppid), comm)


def test_all_processes_of_ps_are_there(sleeper: subprocess.Popen[bytes]) -> None:
    if shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    before = {each.pid for each in read_snapshot().processes}
    listed = subprocess.run(["ps", "-e", "-o", "pid="], capture_output=True, text=True, check=True).stdout.split()
    after = {each.pid for each in read_snapshot().processes}
    assert sleeper.pid in before
    assert before & after <= set(map(int, listed))


def test_scores_are_those_of_the_kernel(sleeper: subprocess.Popen[bytes]) -> None:
    folder = Path("/proc") / str(sleeper.pid)
    (folder / "oom_score_adj").write_text("300", encoding="ascii")
    (process,) = [each for each in read_snapshot().processes if each.pid == sleeper.pid]
    assert process.oom_score_adj == 300
    assert process.oom_score == int((folder / "oom_score").read_text(encoding="ascii"))


def test_details_of_one_process(sleeper: subprocess.Popen[bytes]) -> None:
    from oomlens.host.read.snapshot import with_details

    snapshot = with_details(read_snapshot(), frozenset([sleeper.pid]))
    (process,) = [each for each in snapshot.processes if each.pid == sleeper.pid]
    assert process.cmdline is not None
    assert process.cmdline[:2] == (sys.executable, "-c")
    if (Path("/proc") / str(sleeper.pid) / "smaps_rollup").exists():
        assert process.pss_bytes is not None
        assert 8 << 20 <= process.pss_bytes <= (process.rss_bytes or 0) + (1 << 20)


def test_processes_that_come_and_go_are_no_error() -> None:
    snapshots = []
    children = []
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        children.append(subprocess.Popen(["/bin/true"]))
        snapshots.append(read_snapshot())
    for child in children:
        child.wait()
    assert all(not [gap for gap in each.gaps if gap.what.startswith("processes")] for each in snapshots)
    assert all(os.getpid() in {process.pid for process in each.processes} for each in snapshots)
