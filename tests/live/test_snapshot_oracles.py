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
from oomlens.kernel.badness import version_of
from oomlens.predict import predict
from oomlens.render.status import largest
from support.memcg import own_memcg

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


def test_used_and_cache_are_those_of_free() -> None:
    if shutil.which("free") is None:
        pytest.skip("free is not installed")
    rows = subprocess.run(["free", "-b"], capture_output=True, text=True, check=True).stdout.splitlines()
    told = dict(zip(rows[0].split(), map(int, rows[1].split()[1:]), strict=True))
    version = subprocess.run(["free", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    if int(version.partition(".")[0]) < 4:
        pytest.skip(f"free {version} counts used otherwise")
    meminfo = read_snapshot().host.meminfo
    cache = meminfo["buffers_bytes"] + meminfo["cached_bytes"] + meminfo["sreclaimable_bytes"]
    assert abs(meminfo["mem_total_bytes"] - meminfo["mem_available_bytes"] - told["used"]) < DRIFT_BYTES
    assert abs(cache - told["buff/cache"]) < DRIFT_BYTES


def test_the_largest_stand_in_the_order_of_ps() -> None:
    if shutil.which("ps") is None:
        pytest.skip("ps is not installed")
    program = "import time; held = bytes([1]) * ({} << 20); print(flush=True); time.sleep(60)"
    children = [
        subprocess.Popen([sys.executable, "-c", program.format(size)], stdout=subprocess.PIPE) for size in (8, 40, 24)
    ]
    try:
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        pids = ",".join(str(child.pid) for child in children)
        columns = ["ps", "--sort=-%mem", "-o", "pid=,pmem=", "-p", pids]
        rows = [
            row.split()
            for row in subprocess.run(columns, capture_output=True, text=True, check=True).stdout.splitlines()
        ]
        snapshot = read_snapshot()
    finally:
        for child in children:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
    ours = [each for each in largest(snapshot.processes) if str(each.pid) in pids.split(",")]
    assert [str(each.pid) for each in ours] == [pid for pid, _ in rows]
    total = snapshot.host.meminfo["mem_total_bytes"]
    for each, (_, percent) in zip(ours, rows, strict=True):
        # ps cuts to a tenth, and MemTotal moves for nobody.
        assert abs((each.rss_bytes or 0) * 100 / total - float(percent)) <= 0.11


def test_a_cgroup_is_that_of_systemd_cgtop() -> None:
    program = shutil.which("systemd-cgtop")
    if program is None:
        pytest.skip("systemd-cgtop is not installed")
    with own_memcg(64 << 20) as folder:
        start = f"import os, time\nopen({str(folder / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        hold = "held = bytes([1]) * (20 << 20)\nprint(flush=True)\ntime.sleep(60)\n"
        child = subprocess.Popen([sys.executable, "-c", start + hold], stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            child.stdout.readline()
            told = subprocess.run(
                [program, "-b", "-n", "1", "--raw", "-m", "--depth=9"], capture_output=True, text=True, check=False
            )
            found = [each for each in read_snapshot().cgroups if each.path.endswith(folder.name)]
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
    rows = [row.split() for row in told.stdout.splitlines() if row.split()[0].endswith(folder.name)]
    if told.returncode or not rows:
        pytest.skip(f"systemd-cgtop does not show it: {told.stderr.strip()}")
    (usage,) = found
    assert usage.current_bytes is not None
    assert usage.current_bytes > 20 << 20
    assert abs(usage.current_bytes - int(rows[0][3])) <= 1 << 20
    assert rows[0][0] == usage.path


def test_our_badness_gives_the_kernels_own_oom_score() -> None:
    """From 5.9 on: (1000 + points * 1000 / totalpages) * 2 / 3; as exact as two readings of a living machine can be."""
    snapshot = read_snapshot()
    if (version_of(snapshot.host.kernel_release) or (0,)) < (5, 9):
        pytest.skip("older kernels scale it otherwise")
    (machine, *_) = predict(snapshot)
    assert machine.total_bytes is not None
    total = machine.total_bytes // snapshot.host.page_size
    pairs = [
        ((1000 + (each.points_bytes // snapshot.host.page_size) * 1000 // total) * 2 // 3, each.oom_score)
        for each in machine.candidates
        if each.points_bytes is not None and each.points_bytes >= 0 and each.oom_score is not None
    ]
    assert pairs
    assert all(abs(ours - kernels) <= 1 for ours, kernels in pairs)
    assert sum(ours == kernels for ours, kernels in pairs) >= 0.9 * len(pairs)


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
