"""The recorder on the running machine: a real kill in a memory cgroup of the test's own is found with the snapshot before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oomlens.host.read.history import read_history
from oomlens.model.history import Kill
from oomlens.model.history_series import process_in
from support.memcg import own_memcg

pytestmark = pytest.mark.live
LIMIT_BYTES = 64 << 20
# Grows by 8 MiB at a time; with a pause, several samples fit in before the kill.
GROW = "import sys, time\nheld = []\nwhile True: held.append(bytearray(8 << 20)); time.sleep(float(sys.argv[1]))\n"


@contextmanager
def recorder(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`oomlens record` as a process of its own, ended with SIGTERM."""
    arguments = [sys.executable, "-m", "oomlens", "record", "--folder", str(folder), *options]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "recording to" in process.stderr.readline()
        yield process
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


def _grower(cgroup: Path, pause_seconds: float) -> int:
    start = f"open({str(cgroup / 'cgroup.procs')!r}, 'w').write('0')\n"
    child = subprocess.Popen([sys.executable, "-S", "-c", start + GROW, str(pause_seconds)])
    assert child.wait(60) == -9
    return child.pid


def _kill_of(folder: Path, pid: int) -> Kill:
    for _ in range(100):
        for kill in read_history(folder, snapshots=True).kills:
            if kill.report is not None and any(victim.pid == pid for victim in kill.report.victims):
                return kill
        time.sleep(0.1)
    raise AssertionError(f"no kill of {pid} in {folder}")


def test_a_real_kill_is_recorded_with_its_past(tmp_path: Path) -> None:
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("/dev/kmsg may not be read")
    with own_memcg(LIMIT_BYTES) as cgroup, recorder(tmp_path, "--interval", "0.5s") as running:
        time.sleep(0.7)
        pid = _grower(cgroup, 0.3)
        kill = _kill_of(tmp_path, pid)
        for harmless in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            running.send_signal(harmless)
        time.sleep(0.5)
        assert running.poll() is None
    assert running.returncode == 0
    report = kill.report
    assert report is not None
    assert (report.oom_memcg or "").endswith(cgroup.name)
    assert report.memcg is not None
    assert report.memcg.limit_bytes == LIMIT_BYTES
    # The machine as it was before: the victim alive, in its cgroup, with most of what it had when it was killed.
    assert kill.snapshot is not None
    (before,) = [process for process in kill.snapshot.processes if process.pid == pid]
    assert (before.cgroup or "").endswith(cgroup.name)
    assert LIMIT_BYTES // 2 < (before.rss_bytes or 0) < LIMIT_BYTES * 2
    held = read_history(tmp_path)
    # Up to the snapshot before the kill: a sample taken while the kernel ends the process truly finds nothing held.
    assert kill.before_seconds is not None
    earlier = [sample for sample in held.samples if sample.time_seconds <= kill.before_seconds]
    curve = [row.held_bytes for sample in earlier if (row := process_in(sample, pid)) is not None]
    assert len(curve) >= 3
    assert curve == sorted(curve, key=lambda size: size or 0)
    assert held.gaps == ()
    assert [file.damage for file in held.files] == [None]


def test_kills_while_no_recorder_ran_are_added_when_it_starts(tmp_path: Path) -> None:
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("/dev/kmsg may not be read")
    subprocess.run(
        [sys.executable, "-m", "oomlens", "record", "--folder", str(tmp_path), "--once"],
        check=True,
        capture_output=True,
    )
    with own_memcg(LIMIT_BYTES) as cgroup:
        pid = _grower(cgroup, 0)
    time.sleep(0.2)
    with recorder(tmp_path):
        kill = _kill_of(tmp_path, pid)
    assert kill.snapshot is None
    assert kill.seen_by == "kmsg"
