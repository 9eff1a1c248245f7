"""A real Docker: killed, planned, applied, survives, taken back, killed again; and the traps, met for real.

Runs where OOMLENS_DOCKER is set (see support/docker_engine.py). Containers have limits of their own, at most 256 MiB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any

import pytest
import yaml

from support.containers import MIB, fake_engine
from support.docker_engine import COMPOSE, IMAGE, RealDocker, cache, hold, keep, real_docker, unpacked
from support.proof import proven

pytestmark = pytest.mark.live
REMEDY, WHERE = "limit container", os.environ.get("OOMLENS_PROOF_PLACE", "docker")
LIMIT = 64 * MIB
# Takes 96 MiB in its own copying: a read of the kernel's would end with an error at the limit, not hang.
DOUBLE = ("/bin/busybox", "awk", 'BEGIN { s = "xxxxxxxx"; while (length(s) < 67108864) s = s s }')


@pytest.fixture(scope="module")
def docker() -> Iterator[RealDocker]:
    with real_docker() as engine:
        yield engine


class Lens:
    """The real command line, with a journal of its own."""

    def __init__(self, engine: RealDocker, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def __call__(self, *argv: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "oomlens", "--lang", "en", *argv], capture_output=True, text=True, check=False,
            env={**os.environ, "DOCKER_HOST": self.engine.host},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def shell(self, *argv: str) -> str:
        """What is shown of it on stdout, run by whoever runs the test."""
        return self(*argv).split("oomlens:")[0].replace("sudo ", "")

    def plan(self, *argv: str) -> dict[str, Any]:
        self("plan", "limit", "container", *argv, "--out", str(self.folder / "plan.json"))
        (plan,) = json.loads((self.folder / "plan.json").read_bytes())["plans"]
        assert isinstance(plan, dict)
        return plan

    def apply(self) -> str:
        return self("apply", str(self.folder / "plan.json"), "--yes", "--state", str(self.folder / "state"))

    def rollback(self, code: int = 0) -> str:
        return self("rollback", "--state", str(self.folder / "state"), code=code)


@pytest.fixture
def lens(docker: RealDocker, tmp_path: Path) -> Iterator[Lens]:
    yield Lens(docker, tmp_path)
    containers = docker.docker("ps", "-aq").split()
    if containers:
        docker.docker("rm", "-f", *containers)


def kernel_files(docker: RealDocker, name: str) -> tuple[str, ...]:
    """The kernel's limits of a running container: memory, memory with swap (version 1) or swap (version 2)."""
    container_id = docker.docker("inspect", "-f", "{{.Id}}", name)
    v1 = Path("/sys/fs/cgroup/memory/docker") / container_id
    if v1.exists():
        names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        return tuple((v1 / one).read_text(encoding="ascii").strip() for one in names)
    v2 = next(Path("/sys/fs/cgroup").rglob(f"*{container_id}*"))
    values = ((v2 / one).read_text(encoding="ascii").strip() for one in ("memory.max", "memory.swap.max"))
    # Docker knows no "max" of swap for a container that runs, so it gets a number of which half would do.
    return tuple("max" if value.isdecimal() and int(value) > 1 << 60 else value for value in values)


def test_killed_planned_survives_taken_back_killed_again(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "64m", "--memory-swap", "64m", command=hold(100))
    assert docker.ended("web") == 137
    plan = lens.plan("web")
    step = next(step for step in plan["steps"] if step["action"] == "container-update")
    # 64 + 100 = 164, rounded up to 16: what the kernel's report of this very kill, or the engine's flag, asks for.
    assert step["parameters"]["wanted"] == {"memory_bytes": 176 * MIB, "memsw_bytes": 176 * MIB, "pids": None}
    assert "verified: everything reads back as planned" in lens.apply()
    assert docker.limits("web") == (176 * MIB, 176 * MIB)
    assert docker.start_again("web") == 0
    assert "nothing was left to do" in lens.apply()
    lens.rollback()
    assert docker.limits("web") == (LIMIT, LIMIT)
    assert docker.start_again("web") == 137
    proven(
        "containers",
        REMEDY,
        WHERE,
        "killed at 64M, planned from the kernel's report, survives at 176M, taken back, killed",
    )


def test_the_shown_commands_do_the_same(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "64m", "--memory-swap", "64m", command=keep(10))
    wish = ("plan", "limit", "container", "web", "--memory", "128M", "--memory-swap", "-1")
    shells = [lens.shell(*wish, option) for option in ("--show-commands", "--show-undo")]
    for shell, limits in zip(shells, ((128 * MIB, -1), (LIMIT, LIMIT)), strict=True):
        subprocess.run(["sh", "-euc", shell], env={**os.environ, "PATH": docker.programs}, check=True)
        assert docker.limits("web") == limits
    proven("containers", REMEDY, WHERE, "the shown shell, and that of the way back, set what the plan says")


def test_no_limit_before_is_no_limit_after(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", command=keep(10))
    before = kernel_files(docker, "web")
    lens.plan("web", "--memory", "64M", "--pids", "50")
    lens.apply()
    assert docker.limits("web") == (LIMIT, 2 * LIMIT)
    assert kernel_files(docker, "web") != before
    lens.rollback()
    assert kernel_files(docker, "web") == before
    docker.docker("restart", "-t", "0", "web")
    assert kernel_files(docker, "web") == before
    proven(
        "containers",
        REMEDY,
        WHERE,
        "a container without a limit is limited; after rollback the kernel's files are as before",
    )


def test_swap_without_a_limit_reaches_the_kernel(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "64m", "--memory-swap", "64m", command=keep(10))
    before = kernel_files(docker, "web")
    # What Docker makes of it: it says yes, shows -1, and the kernel keeps its limit.
    docker.docker("update", "--memory-swap", "-1", "web")
    assert docker.limits("web") == (LIMIT, -1)
    assert kernel_files(docker, "web") == before
    docker.docker("update", "--memory", "64m", "--memory-swap", "64m", "web")
    lens.plan("web", "--memory", "256M", "--memory-swap", "-1")
    lens.apply()
    assert docker.limits("web") == (256 * MIB, -1)
    swap = kernel_files(docker, "web")[1]
    assert swap == "max" or int(swap) > 1 << 60
    lens.rollback()
    assert (docker.limits("web"), kernel_files(docker, "web")) == ((LIMIT, LIMIT), before)
    proven(
        "containers",
        REMEDY,
        WHERE,
        "--memory-swap -1, which Docker itself does not hand on, reaches the kernel and is taken back",
    )


def test_what_it_holds_is_never_cut_off(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "128m", "--memory-swap", "128m", command=keep(60))
    refused = lens("plan", "limit", "container", "web", "--memory", "32M", code=1)
    assert "in-use" in refused
    lens.plan("web", "--memory", "200M")
    lens.apply()
    docker.docker("exec", "-d", "web", *keep(90))
    wait_for(lambda: usage(docker, "web") > 140 * MIB)
    assert "stop it first" in lens.rollback(code=1)
    assert docker.limits("web") == (200 * MIB, 200 * MIB)
    docker.docker("stop", "-t", "0", "web")
    lens.rollback()
    assert docker.limits("web") == (128 * MIB, 128 * MIB)
    proven("containers", REMEDY, WHERE, "neither plan nor rollback sets a limit below what it holds")


def usage(docker: RealDocker, name: str) -> int:
    container_id = docker.docker("inspect", "-f", "{{.Id}}", name)
    place = Path("/sys/fs/cgroup/memory/docker") / container_id / "memory.usage_in_bytes"
    if not place.exists():
        place = next(Path("/sys/fs/cgroup").rglob(f"*{container_id}*")) / "memory.current"
    return int(place.read_text(encoding="ascii"))


def wait_for(condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def test_a_killed_child_and_a_hang_are_told_apart(docker: RealDocker, lens: Lens) -> None:
    child = f"{' '.join(hold(100))}; exit 0"
    docker.run("child", "-m", "64m", "--memory-swap", "64m", command=("/bin/sh", "-c", child))
    assert docker.ended("child") == 0
    assert "a child was killed" in lens("plan", "limit", "container", "child")
    if Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists():  # version 2 discards the option
        docker.run("hang", "-m", "64m", "--memory-swap", "64m", "--oom-kill-disable", command=DOUBLE)
        wait_for(lambda: usage(docker, "hang") > 63 * MIB)
        time.sleep(2)
        assert docker.docker("inspect", "-f", "{{.State.Status}} {{.State.OOMKilled}}", "hang") == "running false"
        assert "its processes hang there until it is raised" in lens("plan", "limit", "container", "hang")
        lens.plan("hang", "--memory", "160M")
        lens.apply()
        assert docker.ended("hang") == 0  # raised, it goes on and ends by itself
        proven(
            "containers",
            REMEDY,
            WHERE,
            "a container that hangs at its limit (--oom-kill-disable) goes on when it is raised",
        )
    proven("containers", REMEDY, WHERE, "a killed child (OOMKilled, exit code 0) is told apart from a killed container")


def test_restarts_are_told(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "64m", "--memory-swap", "64m", "--restart", "on-failure:2", command=hold(100))
    wait_for(lambda: docker.docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "web") == "2 exited")
    assert "restarted 2 times by its policy on-failure" in lens("plan", "limit", "container", "web")
    proven("containers", REMEDY, WHERE, "kills that a restart policy hides are found")


def test_a_container_that_was_created_anew_is_left_alone(docker: RealDocker, lens: Lens) -> None:
    docker.run("web", "-m", "64m", "--memory-swap", "64m", command=keep(10))
    lens.plan("web", "--memory", "128M")
    lens.apply()
    docker.docker("rm", "-f", "web")
    docker.run("web", "-m", "96m", "--memory-swap", "96m", command=keep(10))
    assert "changed by something else" in lens.rollback(code=1)
    assert docker.limits("web") == (96 * MIB, 96 * MIB)
    docker.docker("rm", "-f", "web")
    lens.rollback()
    proven(
        "containers",
        REMEDY,
        WHERE,
        "rollback refuses where the container was created anew, and where somebody changed it",
    )


def test_compose_makes_it_anew_with_the_new_limits(docker: RealDocker, lens: Lens) -> None:
    """The real docker-compose: its labels lead to its file; what it makes of the changed file is what was planned."""
    docker = replace(docker, compose=unpacked(COMPOSE, cache() / "compose"))
    project = lens.folder / "app"
    project.mkdir()
    file = project / "docker-compose.yml"
    text = (
        "# our app\n"
        "services:\n"
        "  web:\n"
        f"    image: {IMAGE}  # static\n"
        f"    command: {list(hold(100))}\n"
        "    network_mode: none\n"
        "    mem_limit: 64m      # small\n"
        "    memswap_limit: 64m\n"
    )
    file.write_text(text, encoding="ascii")
    docker.compose_up(project)
    (name,) = docker.docker("ps", "-a", "--format", "{{.Names}}").split()
    assert docker.ended(name) == 137
    plan = lens.plan("web")
    assert [step["action"] for step in plan["steps"]] == ["edit-file", "container-update", "by-hand"]
    lens.apply()
    changed = file.read_text(encoding="ascii")
    assert changed == text.replace("64m", "176m")
    assert docker.start_again(name) == 0
    docker.docker("rm", "-f", name)
    docker.compose_up(project)
    assert docker.limits(name) == (176 * MIB, 176 * MIB)
    assert docker.ended(name) == 0
    docker.docker("rm", "-f", name)  # taken down, rolled back, and up again
    lens.rollback()
    assert file.read_text(encoding="ascii") == text
    docker.compose_up(project)
    assert docker.limits(name) == (LIMIT, LIMIT)
    assert docker.ended(name) == 137
    assert yaml.safe_load(changed)["services"]["web"]["mem_limit"] == "176m"
    proven(
        "containers",
        REMEDY,
        WHERE,
        "docker-compose makes the container anew from the changed file with the planned limits, and back",
    )


UPDATES: list[dict[str, int]] = [
    {"Memory": 256 * MIB},
    {"Memory": 256 * MIB, "MemorySwap": -1},
    {"MemorySwap": -1},
    {"Memory": 256 * MIB, "MemorySwap": -1},
    {"Memory": 256 * MIB, "MemorySwap": 512 * MIB},
    {"Memory": 0, "MemorySwap": 0},
    {"Memory": -1, "MemorySwap": -1},
    {"Memory": 5 * MIB, "MemorySwap": 5 * MIB},
    {"Memory": 8 * MIB, "MemorySwap": 8 * MIB},
    {"Memory": 32 * MIB, "MemorySwap": 16 * MIB},
    {"Memory": 32 * MIB, "MemorySwap": 32 * MIB},
    {"Memory": 67108865, "MemorySwap": 100000001},
    {"PidsLimit": 100},
    {"PidsLimit": -1},
    {"Memory": 128 * MIB, "MemorySwap": (1 << 63) - 4096},
    {"MemorySwap": -1},
]


def test_the_fake_engine_answers_as_the_real_one(docker: RealDocker, lens: Lens) -> None:
    """Each update on both: the same status, and the same limits afterwards in inspect and in the kernel."""
    if not Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists():
        pytest.skip("measured on version 1")
    docker.run("web", "-m", "64m", "--memory-swap", "64m", command=keep(20))
    wait_for(lambda: usage(docker, "web") > 20 * MIB)
    with fake_engine() as fake:
        fake.run("web", memory=LIMIT, memsw=LIMIT, usage=21 * MIB)
        for body in UPDATES:
            assert answered(docker.host, body) == answered(fake.host, body), body
            container = fake.find("web")
            files = tuple(str(value // 4096 * 4096) for value in (container.k_memory, container.k_memsw))
            assert kernel_files(docker, "web") == files, body
    assert lens is not None
    proven("containers", REMEDY, WHERE, "the engine of the unit tests answers as the real one, update by update")


def answered(host: str, body: dict[str, int]) -> tuple[int, int, int]:
    """The status of an update, and the limits that inspect shows then."""
    status, _ = request(host, "POST", "/v1.41/containers/web/update", body)
    _, found = request(host, "GET", "/v1.41/containers/web/json", None)
    return status, found["HostConfig"]["Memory"], found["HostConfig"]["MemorySwap"]


def request(host: str, method: str, path: str, body: Any) -> tuple[int, Any]:
    connection = HTTPConnection("engine")
    connection.sock = socket(AF_UNIX)
    connection.sock.connect(host.removeprefix("unix://"))
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
