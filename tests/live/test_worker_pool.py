"""A pool of workers in a memory cgroup of the test's own: too many are killed, as many as `plan tasks` says survive, after rollback not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from support.memcg import kills_in, own_memcg
from support.proof import proven

pytestmark = pytest.mark.live
MIB = 1 << 20
LIMIT_BYTES = 120 * MIB
# Called like gunicorn: a master that shares what it holds, and workers with a heap of their own.
POOL = """#!{python} -IS
import os, sys, time
open("{cgroup}/cgroup.procs", "w").write(str(os.getpid()))
settings = {{}}
exec(open(sys.argv[sys.argv.index("-c") + 1]).read(), settings)
shared = [b"m" * (1 << 20) for _ in range(8)]
ready, said = os.pipe()
for number in range(settings["workers"]):
    if os.fork() == 0:
        held = [b"w" * (1 << 20) for _ in range(14)]
        os.write(said, b".")
        time.sleep(1000)
os.close(said)
count = 0
while count < settings["workers"]:
    try:
        if os.waitpid(-1, os.WNOHANG)[0]:
            break
    except ChildProcessError:
        break
    os.set_blocking(ready, False)
    try:
        count += len(os.read(ready, 100))
    except BlockingIOError:
        time.sleep(0.02)
print("ready", flush=True)
time.sleep(1000)
"""
CONF = "# as it was shipped\nbind = '127.0.0.1:0'\nworkers = 12  # many\n"


def _grown(cgroup: Path) -> None:
    """Waits until nobody is killed or grows any more: the first death comes while the others are still small."""
    before: object = None
    for _ in range(40):
        pids = (cgroup / "cgroup.procs").read_text(encoding="ascii").split()
        now = kills_in(cgroup), len(pids), [_pages(pid) for pid in pids]
        if now == before:
            return
        before = now
        time.sleep(0.25)


def _pages(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return "gone"


@contextmanager
def pool(folder: Path) -> Iterator[int]:
    """Started anew; how often the kernel killed in it."""
    with own_memcg(LIMIT_BYTES) as cgroup:
        script = folder / "gunicorn"
        script.write_text(POOL.format(python=sys.executable, cgroup=cgroup), encoding="utf-8")
        script.chmod(0o755)
        process = subprocess.Popen(
            [str(script), "-c", str(folder / "conf.py"), "app:app"], stdout=subprocess.PIPE, start_new_session=True, text=True
        )  # fmt: skip
        try:
            assert process.stdout is not None
            process.stdout.readline()
            _grown(cgroup)
            yield kills_in(cgroup)
        finally:
            for pid in (cgroup / "cgroup.procs").read_text(encoding="ascii").split():
                subprocess.run(["kill", "-9", pid], check=False)
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def test_too_many_are_killed_and_as_many_as_fit_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf, saved, state = tmp_path / "conf.py", tmp_path / "plan.json", str(tmp_path / "state")
    conf.write_text(CONF, encoding="utf-8")

    def lens(*argv: str) -> None:
        assert main(["--lang", "en", *argv]) == 0, "".join(capsys.readouterr())

    with pool(tmp_path) as kills:
        assert kills > 0
        lens("plan", "tasks", "gunicorn", "--only", "workers", "--out", str(saved))
    (plan,) = json.loads(saved.read_bytes())["plans"]
    sized: dict[str, Any] = {term["name"]: term for term in plan["arithmetic"]}
    assert "(pss)" in sized["worker_bytes"]["comparison"]
    # Each has 14 MiB, its share of the interpreter and of the master's 8 MiB.
    assert 14 * MIB < sized["worker_bytes"]["value"] < 20 * MIB
    assert 3 <= sized["workers"]["value"] <= 6
    lens("apply", str(saved), "--yes", "--state", state)
    text = conf.read_text(encoding="utf-8")
    assert f"workers = {sized['workers']['value']}  # many\n" in text
    assert "max_requests_jitter = " in text
    with pool(tmp_path) as kills:
        assert kills == 0
    lens("rollback", "--state", state)
    assert conf.read_text(encoding="utf-8") == CONF
    with pool(tmp_path) as kills:
        assert kills > 0
    proven("scores", "tasks", "this-kernel", "12 workers in a cgroup of 120 MiB: killed, as many as fit by PSS survive, killed after rollback")  # fmt: skip
