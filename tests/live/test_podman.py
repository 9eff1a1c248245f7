"""A real Podman: what its inspect does not show is seen in the kernel's files; a limit is raised live, and taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.containers import MIB
from support.docker_engine import hold, keep
from support.podman_engine import RealPodman, real_podman
from support.proof import proven

pytestmark = pytest.mark.live
REMEDY = "limit container"
WHEN_TOLD = ("/bin/sh", "-c", f"until [ -e /tmp/go ]; do sleep 0.1; done; {' '.join(hold(100))}")


@pytest.fixture(scope="module")
def podman() -> Iterator[RealPodman]:
    with real_podman() as engine:
        yield engine


def lens(podman: RealPodman, *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "oomlens", "--lang", "en", *argv], capture_output=True, text=True, check=False,
        env={**os.environ, "CONTAINER_HOST": podman.host, "DOCKER_HOST": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def kernel_limits(podman: RealPodman, name: str) -> tuple[int, int]:
    container_id = podman.podman("inspect", "-f", "{{.Id}}", name)
    folder = Path("/sys/fs/cgroup/memory/libpod_parent") / f"libpod-{container_id}"
    if not folder.exists():
        pytest.skip("this test looks at version 1")
    names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    memory, memsw = (int((folder / one).read_text(encoding="ascii")) for one in names)
    return memory, memsw


def test_a_kill_that_podman_does_not_tell_is_found(podman: RealPodman) -> None:
    podman.run("dead", "-m", "64m", "--memory-swap", "64m", command=hold(100))
    assert podman.podman("wait", "dead") == "137"
    flag = podman.podman("inspect", "-f", "{{.State.OOMKilled}}", "dead")
    shown = lens(podman, "plan", "limit", "container", "dead", "--engine", "podman")
    assert "kills at its limit in the kernel's log: " in shown
    if flag == "false":
        assert "the kernel is right" in shown
    proven("containers", REMEDY, "podman", "a kill that podman inspect denies is found in the kernel's report")


def test_raised_live_it_survives_and_taken_back_it_is_killed(podman: RealPodman, tmp_path: Path) -> None:
    state, plan = str(tmp_path / "state"), str(tmp_path / "plan.json")
    for name in ("lives", "dies"):
        podman.run(name, "-m", "64m", "--memory-swap", "64m", command=WHEN_TOLD)
        lens(podman, "plan", "limit", "container", name, "--memory", "176M", "--out", plan)
        (made,) = json.loads(Path(plan).read_bytes())["plans"]
        assert "verified: everything reads back as planned" in lens(podman, "apply", plan, "--yes", "--state", state)
        assert kernel_limits(podman, name) == (176 * MIB, 176 * MIB)
        assert "nothing was left to do" in lens(podman, "apply", plan, "--yes", "--state", state)
        if name == "dies":
            lens(podman, "rollback", "--state", state)
            assert kernel_limits(podman, name) == (64 * MIB, 64 * MIB)
        podman.podman("exec", name, "/bin/busybox", "touch", "/tmp/go")
        assert podman.podman("wait", name) == {"lives": "0", "dies": "137"}[name]
        assert made["argv"][:3] == ["limit", "container", name]
    proven(
        "containers", REMEDY, "podman", "raised live it survives; taken back it is killed, though inspect shows neither"
    )


def pids_max(podman: RealPodman, name: str) -> str:
    container_id = podman.podman("inspect", "-f", "{{.Id}}", name)
    return Path(f"/sys/fs/cgroup/pids/libpod_parent/libpod-{container_id}/pids.max").read_text(encoding="ascii").strip()


def test_no_limit_before_is_no_limit_after(podman: RealPodman, tmp_path: Path) -> None:
    state, plan = str(tmp_path / "state"), str(tmp_path / "plan.json")
    podman.run("free", command=keep(10))
    before = kernel_limits(podman, "free"), pids_max(podman, "free")
    lens(podman, "plan", "limit", "container", "free", "--memory", "64M", "--pids", "50", "--out", plan)
    lens(podman, "apply", plan, "--yes", "--state", state)
    assert kernel_limits(podman, "free") == (64 * MIB, 128 * MIB)
    assert pids_max(podman, "free") == "50"
    lens(podman, "rollback", "--state", state)
    assert (kernel_limits(podman, "free"), pids_max(podman, "free")) == before
    proven("containers", REMEDY, "podman", "a container without limits is limited, and has none again after rollback")
