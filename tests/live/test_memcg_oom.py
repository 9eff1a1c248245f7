"""A real kill by the running kernel, in a memory cgroup of the test's own, is found in the ring buffer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.host.read.live import kmsg_source
from oomlens.host.scan import scan
from oomlens.model.report import Outcome, Report, Scope
from support.memcg import own_memcg

pytestmark = pytest.mark.live
LIMIT_BYTES = 32 << 20
GROW = "held = []\nwhile True: held.append(bytearray(1 << 20))\n"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    with own_memcg(LIMIT_BYTES) as folder:
        yield folder


def _kills_of(pid: int) -> list[Report]:
    source = kmsg_source()
    return [report for report in scan(source) if any(victim.pid == pid for victim in report.victims)]


def test_a_real_memory_cgroup_kill_is_found_in_the_ring_buffer(cgroup: Path) -> None:
    ring = Path("/dev/kmsg")
    if not os.access(ring, os.R_OK):
        pytest.skip("/dev/kmsg may not be read")
    start = f"import os\nopen({str(cgroup / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    child = subprocess.Popen([sys.executable, "-c", start + GROW])
    assert child.wait(timeout=60) == -9
    found: list[Report] = []
    for _ in range(50):
        found = _kills_of(child.pid)
        if found:
            break
        time.sleep(0.1)
    (report,) = found
    assert (report.outcome, report.scope, report.killer) == (Outcome.KILLED, Scope.MEMCG, "kernel")
    assert report.oom_memcg is not None
    assert report.oom_memcg.endswith(cgroup.name)
    assert report.memcg is not None
    assert report.memcg.limit_bytes == LIMIT_BYTES
    assert report.kernel_release in (None, os.uname().release)
    # What the interpreter held before it moved into the cgroup is charged elsewhere, so its RSS may exceed the limit.
    assert (report.victims[0].anon_rss_bytes or 0) > LIMIT_BYTES // 2


def test_follow_prints_a_kill_within_a_tenth_of_a_second(cgroup: Path) -> None:
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("/dev/kmsg may not be read")
    follower = subprocess.Popen(
        [sys.executable, "-m", "oomlens", "scan", "--follow", "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert follower.stdout is not None
    assert follower.stderr is not None
    try:
        assert b"kmsg" in follower.stderr.readline()
        time.sleep(0.5)
        start = f"import os\nopen({str(cgroup / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        child = subprocess.Popen([sys.executable, "-c", start + GROW])
        line = follower.stdout.readline()
        at = time.clock_gettime(time.CLOCK_MONOTONIC)
        assert child.wait(timeout=60) == -9
    finally:
        follower.terminate()
        follower.wait(timeout=10)
        follower.stdout.close()
        follower.stderr.close()
    report = json.loads(line)
    assert report["victims"][0]["pid"] == child.pid
    assert report["time"] is not None
    # The kernel's stamp of the verdict and CLOCK_MONOTONIC are the same clock up to boot-time adjustments.
    assert at - report["uptime_seconds"] < 0.1 + 0.05
