"""The guard's loop stays small: what it imports, and what it holds."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from support.guard import PROGRAM, SOURCE, running, table

# Each of these costs the process memory for as long as it lives; `signal` alone brings enum: 1 MB.
HEAVY = {
    "argparse", "ast", "asyncio", "collections", "contextlib", "dataclasses", "datetime", "decimal", "email", "enum", "functools", "hashlib",
    "http", "importlib.metadata", "inspect", "json", "logging", "operator", "pathlib", "pickle", "random", "re", "selectors", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "tempfile", "textwrap", "threading", "tomllib", "traceback", "typing", "urllib", "warnings",
}  # fmt: skip
OWN = ("oomlens", "oomlens.guard", "oomlens.policy")
RSS_KB = 11 << 10
ANONYMOUS_KB = 4608
MOST_WAKEUPS_PER_SECOND = 5

_CODE = """
import sys
sys.path.append(sys.argv[1])
import oomlens.guard.loop.run
import oomlens.guard.loop.supervisor
oomlens.guard.loop.run.main
sys.stdout.write(" ".join(sys.modules))
"""


def _modules() -> set[str]:
    command = [sys.executable, "-I", "-S", "-c", _CODE, str(SOURCE)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def _rollup(pid: int) -> dict[str, int]:
    rows: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        key, value, *_ = line.split()
        rows[key.rstrip(":")] = int(value)
    return rows


def _switches(pid: int) -> int:
    content = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    return int(content.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_the_loop_imports_nothing_heavy() -> None:
    loaded = _modules()
    assert "oomlens.guard.loop.run" in loaded
    assert sorted(loaded & HEAVY) == []


def test_of_the_product_it_imports_itself_and_the_policy_alone() -> None:
    own = {name for name in _modules() if name.startswith("oomlens")}
    others = [
        name for name in own if name not in OWN and not name.startswith(("oomlens.guard.loop", "oomlens.policy."))
    ]
    assert sorted(others) == []


def test_idle_it_holds_no_more_than_it_may(tmp_path: Path) -> None:
    with running(table(run_dir=tmp_path, lock_memory=True), tmp_path) as guard:
        guard.wait_until((tmp_path / "state.json").exists, "state.json")
        before = _switches(guard.pid)
        time.sleep(1.0)
        held = _rollup(guard.pid)
        woken = _switches(guard.pid) - before
        assert guard.stop() == 0
    assert held["Rss"] <= RSS_KB, held
    assert held["Anonymous"] <= ANONYMOUS_KB, held
    assert woken <= MOST_WAKEUPS_PER_SECOND


def test_it_may_open_as_many_files_as_a_fork_bomb_has_processes(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        with running(table(run_dir=tmp_path), tmp_path) as guard:
            lines = Path(f"/proc/{guard.pid}/limits").read_text(encoding="ascii").splitlines()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (line,) = [line for line in lines if line.startswith("Max open files")]
    assert int(line.split()[3]) == most


def test_it_keeps_few_descriptors_and_none_of_its_children_would_get_one(tmp_path: Path) -> None:
    with running(table(run_dir=tmp_path), tmp_path) as guard:
        folder = Path(f"/proc/{guard.pid}/fd")
        kept = [each for each in folder.iterdir() if int(each.name) > 2]
        leaking = []
        for each in kept:
            fields = dict(
                line.split(":\t", 1)
                for line in Path(f"/proc/{guard.pid}/fdinfo/{each.name}").read_text(encoding="ascii").splitlines()
                if ":\t" in line
            )
            if not int(fields["flags"], 8) & os.O_CLOEXEC:
                leaking.append(each.readlink())
    assert leaking == []
    assert len(kept) <= 16


def test_the_program_says_what_it_watches_and_that_it_stopped(tmp_path: Path) -> None:
    with running(table(run_dir=tmp_path), tmp_path) as guard:
        guard.wait_until((tmp_path / "state.json").exists, "state.json")
        assert guard.stop() == 0
        assert [event["event"] for event in guard.events()] == ["started", "stopped"]
        state = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert state["schema"] == "oomlens/guard-state/1"
    assert [row["name"] for row in state["scopes"]] == ["machine"]
    assert state["pid"] == guard.pid
    assert PROGRAM.exists()
