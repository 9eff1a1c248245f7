"""On the running kernel, in a memory cgroup of the test's own: the predicted victim is the one that is killed.

The same mixes run on other kernels in virtual machines, with swap, groups, nodes and the whole machine full: tools/prove_predict.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from oomlens.host.read.snapshot import read_snapshot
from oomlens.predict import predict
from support.memcg import memcg_root, own_memcg
from support.mixes.draw import draw
from support.mixes.engine import room_of, run_mix
from support.mixes.judge import judge

pytestmark = pytest.mark.live
LIMIT_BYTES = 160 << 20
# Page tables and kernel memory are not foreseen to the byte.
UNFORESEEN_BYTES = 6 << 20
MIXES = int(os.environ.get("OOMLENS_MIXES", "4"))


@pytest.mark.parametrize("seed", range(MIXES))
def test_the_predicted_victim_is_the_one_that_is_killed(seed: int) -> None:
    """A tie is a mix in which the kernel's own table shows that sizes moved after the snapshot by more than lay between the two."""
    root, version = memcg_root()
    if not os.access("/dev/kmsg", os.R_OK):
        pytest.skip("/dev/kmsg may not be read, which tells whom the kernel killed first")
    verdict = judge(run_mix(draw(seed, "cgroup", room_of("cgroup", version)), root, version))
    assert verdict.word in ("right", "tie"), verdict.text


PROGRAM = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
held = [bytes([1]) * int(sys.argv[2])]
print("ready", flush=True)
for line in sys.stdin:
    held.append(bytes([2]) * (1 << 20))
    print("grown", flush=True)
"""


def _start(cgroup: Path, size: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-I", "-S", "-c", PROGRAM, str(cgroup), str(size)]
    child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_the_distance_is_what_can_still_be_allocated() -> None:
    with own_memcg(LIMIT_BYTES) as cgroup:
        child = _start(cgroup, 30 << 20)
        try:
            (scope,) = [each for each in predict(read_snapshot()) if (each.path or "").endswith(cgroup.name)]
            assert (scope.limit_bytes, scope.total_bytes) == (LIMIT_BYTES, LIMIT_BYTES)
            assert scope.distance_bytes is not None
            assert scope.usage_bytes is not None
            assert child.stdin is not None
            assert child.stdout is not None
            grown = 0
            while child.poll() is None:
                try:
                    child.stdin.write("more\n")
                    child.stdin.flush()
                except BrokenPipeError:
                    break
                if not child.stdout.readline():
                    break
                grown += 1 << 20
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
    assert abs(grown - scope.distance_bytes) <= UNFORESEEN_BYTES


def test_a_kernels_own_order_of_the_machine_is_ours() -> None:
    """oom_score is badness in steps of a 1500th of all memory: never smaller for a candidate that stands before."""
    snapshot = read_snapshot()
    (machine, *_) = predict(snapshot)
    scores = [
        each.oom_score for each in machine.candidates if each.points_bytes is not None and each.oom_score is not None
    ]
    assert scores
    # The counters move between reading a process's sizes and its score; a step is much larger.
    assert all(first >= second - 1 for first, second in pairwise(scores))
