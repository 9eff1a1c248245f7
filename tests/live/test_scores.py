"""On the running kernel, in a memory cgroup of the test's own: whom a changed score sends to death, and who lives again after rollback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from support.memcg import kills_in, own_memcg
from support.proof import proven

pytestmark = pytest.mark.live
MIB = 1 << 20
LIMIT_BYTES = 120 * MIB
_CAP_SYS_RESOURCE = 24
HOLD = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
held = [bytes([1]) * (int(sys.argv[2]) << 20)]
print("ready", flush=True)
for line in sys.stdin:
    held.append(bytes([2]) * (1 << 20))
    print("grown", flush=True)
"""


class Holder:
    """A process of the cgroup that holds that much."""

    def __init__(self, cgroup: Path, mib: int) -> None:
        words = [sys.executable, "-I", "-S", "-c", HOLD, str(cgroup), str(mib)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def adj(self) -> int:
        return int(Path(f"/proc/{self.pid}/oom_score_adj").read_text(encoding="ascii"))

    @adj.setter
    def adj(self, value: int) -> None:
        Path(f"/proc/{self.pid}/oom_score_adj").write_text(str(value), encoding="ascii")

    def grow(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return
        self.process.stdout.readline()

    def close(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.process.wait(30)


@contextmanager
def holders(*sizes: int) -> Iterator[tuple[Path, list[Holder]]]:
    with own_memcg(LIMIT_BYTES) as cgroup:
        found: list[Holder] = []
        try:
            found += [Holder(cgroup, size) for size in sizes]
            yield cgroup, found
        finally:
            for each in found:
                each.close()


class Lens:
    """The command line, with a journal of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def __call__(self, *argv: str, code: int = 0) -> str:
        found = main(["--lang", "en", *argv])
        told = "".join(self.capsys.readouterr())
        assert found == code, told
        return told

    def plan(self, *argv: str) -> dict[str, Any]:
        self("plan", *argv, "--out", str(self.folder / "plan.json"))
        (plan,) = json.loads((self.folder / "plan.json").read_bytes())["plans"]
        assert isinstance(plan, dict)
        return plan

    def apply(self, code: int = 0) -> str:
        return self("apply", str(self.folder / "plan.json"), "--yes", "--state", str(self.folder / "state"), code=code)

    def rollback(self) -> str:
        return self("rollback", "--state", str(self.folder / "state"))


@pytest.fixture
def lens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Lens:
    return Lens(tmp_path, capsys)


def victim_of(cgroup: Path, small: Holder, large: Holder) -> str:
    """The small one grows until the kernel kills."""
    for _ in range(LIMIT_BYTES // MIB):
        if kills_in(cgroup):
            break
        small.grow()
    dead = [name for name, each in (("small", small), ("large", large)) if each.process.poll() == -9]
    if not dead:  # it is on its way
        dead = [name for name, each in (("small", small), ("large", large)) if _ends(each)]
    assert len(dead) == 1
    return dead[0]


def _ends(holder: Holder) -> bool:
    try:
        return holder.process.wait(5) == -9
    except subprocess.TimeoutExpired:
        return False


def test_sacrifice_flips_the_victim_and_rollback_flips_it_back(lens: Lens) -> None:
    victims = []
    for change in ("none", "done", "taken back"):
        with holders(10, 60) as (cgroup, (small, large)):
            if change != "none":
                plan = lens.plan("sacrifice", str(small.pid))
                assert plan["safety"] == "safe"
                lens.apply()
                assert small.adj == 500
            if change == "taken back":
                lens.rollback()
                assert small.adj == 0
            victims.append(victim_of(cgroup, small, large))
    assert victims == ["large", "small", "large"]
    proven("scores", "sacrifice", "this-kernel", "of two processes in a cgroup the smaller dies, after rollback the larger again")  # fmt: skip


def test_protect_is_refused_whole_without_the_capability_and_moves_the_kill_with_it(lens: Lens) -> None:
    with holders(10, 60) as (cgroup, (small, large)):
        plan = lens.plan("protect", str(large.pid), "--adj=-500")
        told = "".join(warning["text"].format(**warning["values"]) for warning in plan["warnings"])
        assert f"[{small.pid}]" in told  # who would die instead
        if not _may_lower():
            refused = lens.apply(code=1)
            assert "CAP_SYS_RESOURCE" in refused
            assert f"echo -500 | sudo tee /proc/{large.pid}/oom_score_adj" in refused
            assert large.adj == 0
            proven("scores", "protect", "this-kernel", "without CAP_SYS_RESOURCE it is refused before anything is changed, with the commands for whoever may")  # fmt: skip
            return
        lens.apply()
        assert victim_of(cgroup, small, large) == "small"
        lens.rollback()
        assert large.adj == 0


def _may_lower() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    held = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(held, 16) >> _CAP_SYS_RESOURCE & 1)


def test_a_score_that_was_raised_comes_down_without_any_capability(lens: Lens) -> None:
    with holders(10) as (_, (only,)):
        only.adj = 500
        lens.plan("protect", str(only.pid), "--adj=100")
        lens.apply()
        assert only.adj == 100
        lens.rollback()
        assert only.adj == 500


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(lens: Lens) -> None:
    with holders(5) as (_, (only,)):
        lens.plan("sacrifice", str(only.pid))
        lens.apply()
        path = lens.folder / "plan.json"
        other = path.read_text(encoding="utf-8").replace(f'"pid": {only.pid}', f'"pid": {os.getpid()}').replace(f"/proc/{only.pid}/", f"/proc/{os.getpid()}/")  # fmt: skip
        own = Path("/proc/self/oom_score_adj").read_text(encoding="ascii")
        path.write_text(other, encoding="utf-8")
        lens.apply()
        assert Path("/proc/self/oom_score_adj").read_text(encoding="ascii") == own
        lens.rollback()
        assert only.adj == 0
