"""How long our guard takes to choose among 1,000 processes on this machine, in real time (the virtual machine's processor is slow).

python bench/guard/native.py     # writes native.json beside this file
"""

from __future__ import annotations

import json
import marshal
import os
import platform
import signal
import sys
import time
from statistics import median

from guard_folders import HERE, SOURCES, compiled

sys.path.insert(0, str(SOURCES))
PROCESSES, ROUNDS = 1000, 30
FILE = HERE / "native.json"


def crowd(count: int) -> list[int]:
    """So many sleeping processes."""
    found = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        found.append(pid)
    return found


def measure() -> list[float]:
    """Milliseconds of each choice: every oom_score read, the highest read closely, ranked."""
    from oomlens.guard.loop.candidates import Candidates
    from oomlens.guard.loop.cgroups import Hierarchy
    from oomlens.guard.loop.machine import Machine
    from oomlens.policy.choose import choose
    from oomlens.policy.settings import Scope

    table = marshal.loads(compiled(HERE / "guards/oomlens/default.toml"))  # noqa: S302 — our own program's output
    scope, machine, candidates = Scope(table["scopes"][0]), Machine(""), Candidates(Hierarchy(""))
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = candidates.read(machine.pids())
        choice = choose(
            scope,
            found,
            1 << 20,
            road="exhaustion",
            weights=table["weights"],
            exempt=table["exempt"],
            own_pid=os.getpid(),
        )
        took.append((time.perf_counter() - began) * 1000)
        assert choice.ranked
    return took


def main() -> int:
    """Measure and keep."""
    pids = crowd(PROCESSES)
    time.sleep(1)  # until they all sleep
    try:
        took = measure()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
    figures = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processes": PROCESSES,
        "first_ms": round(took[0], 1),
        "median_ms": round(median(took), 1),
        "most_ms": round(max(took), 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    FILE.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
