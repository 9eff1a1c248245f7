"""Engines: who owns a container, and what is said where none can be asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oomlens.host.read import container_engine
from oomlens.model.container import EngineKind
from oomlens.model.plan import Plan, Refusal
from support.containers import (
    MIB,
    applied,
    engine_for,
    fake_engine,
    live_step,
    plan_for,
    propose,
    refusal_for,
    words,
)
from support.fake_engine import FakeEngine

LIMIT = 64 * MIB


@pytest.fixture
def docker() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.mark.parametrize(
    ("labels", "code", "command"),
    [
        ({"io.kubernetes.pod.name": "p", "io.kubernetes.pod.uid": "u-1"}, "owned-by-kubernetes", "oomlens plan limit kubernetes --live --pod-uid u-1 --limit 1Gi"),
        ({"com.docker.swarm.service.id": "x", "com.docker.swarm.service.name": "a b"}, "owned-by-swarm", "docker service update --limit-memory 1G 'a b'"),
        ({"com.amazonaws.ecs.task-arn": "arn", "com.amazonaws.ecs.task-definition-family": "f"}, "owned-by-ecs", "aws ecs describe-task-definition --task-definition f"),
        ({"com.hashicorp.nomad.alloc_id": "1", "com.hashicorp.nomad.job_name": "j"}, "owned-by-nomad", "nomad job inspect j"),
    ],
)  # fmt: skip
def test_what_an_orchestrator_owns_is_left_to_it(
    docker: FakeEngine, labels: dict[str, str], code: str, command: str
) -> None:
    docker.run("web", labels=labels)
    refusal = refusal_for(docker, "web", "--memory", "1G")
    assert (refusal.code, refusal.commands[0]) == (code, command)


def test_an_engine_without_a_memory_controller_is_told(docker: FakeEngine) -> None:
    docker.run("web")
    docker.answers["info"]["MemoryLimit"] = False
    assert refusal_for(docker, "web", "--memory", "64M").code == "no-controller"
    docker.answers["info"]["SecurityOptions"] = ["name=seccomp,profile=default", "name=rootless"]
    assert refusal_for(docker, "web", "--memory", "64M").code == "rootless-no-controller"


@pytest.mark.parametrize("memory", [0, LIMIT])
def test_a_kernel_that_counts_no_swap_is_asked_for_memory_alone(
    docker: FakeEngine, memory: int, tmp_path: Path
) -> None:
    container = docker.run("web", memory=memory, memsw=-1 if memory else 0)
    docker.answers["info"]["SwapLimit"] = False
    plan = plan_for(docker, "web", "--memory", "256M")
    assert live_step(plan).parameters["wanted"]["memsw_bytes"] is None
    assert "swapaccount=1" in words(plan)
    application = applied(docker, tmp_path / "state", "web", "--memory", "256M")
    assert (container.memory, container.k_memory) == (256 * MIB, 256 * MIB)
    engine_for(docker, tmp_path / "state").rollback(application)
    assert container.memory == memory or container.memory > 1 << 60


WEIRD: list[tuple[tuple[str, ...], object]] = [
    (("inspect", "State"), None),
    (("inspect", "HostConfig"), []),
    (("inspect", "HostConfig", "Memory"), "much"),
    (("inspect", "State", "Pid"), "one"),
    (("inspect", "Config"), "x"),
    (("stats", "memory_stats"), {"usage": "?"}),
    (("info",), []),
    (("info", "MemTotal"), None),
    (("version", "Components"), [7]),
    (("list",), "?"),
]


@pytest.mark.parametrize(("path", "value"), WEIRD)
def test_an_engine_that_answers_nonsense_is_no_traceback(
    docker: FakeEngine, path: tuple[str, ...], value: object
) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT)
    real = docker.answer

    def answer(method: str, target: str, body: Any) -> Any:
        found = real(method, target, body)
        kinds = {
            "inspect": "/web/json",
            "stats": "/stats",
            "info": "/info",
            "version": "/version",
            "list": "containers/json",
        }
        if kinds[path[0]] not in target:
            return found
        if len(path) == 1:
            return value
        place = found
        for key in path[1:-1]:
            place = place[key]
        place[path[-1]] = value
        return found

    docker.answer = answer  # type: ignore[method-assign]
    assert isinstance(propose(docker, "web", "--memory", "256M"), Plan | Refusal)


def test_a_name_that_is_not_there_tells_those_that_are(docker: FakeEngine) -> None:
    docker.run("web")
    docker.run("db")
    refusal = refusal_for(docker, "wbe")
    assert refusal.code == "no-such-container"
    assert refusal.hint is not None
    assert refusal.hint.values == {"known": "db, web"}


def test_a_name_is_never_a_path_of_the_engines_api(docker: FakeEngine) -> None:
    assert refusal_for(docker, "../../info?x=", "--memory", "1G").code == "no-such-container"
    assert not any("info?" in path for _, path, _ in docker.calls)


def test_a_socket_that_is_not_there_gives_the_command_to_type(tmp_path: Path, docker: FakeEngine) -> None:
    refusal = refusal_for(docker, "a; rm -rf /", "--memory", "1G", "--host", f"unix://{tmp_path}/none", host=False)
    assert refusal.code == "no-socket"
    assert refusal.commands == ("sudo docker update --memory 1G --memory-swap 2G 'a; rm -rf /'",)
    remote = refusal_for(docker, "web", "--memory", "1G", "--host", "tcp://10.0.0.1:2375", host=False)
    assert remote.code == "not-a-socket"


def test_without_the_client_it_says_what_to_install(docker: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    refusal = refusal_for(docker, "web", "--memory", "1G")
    assert refusal.code == "sdk-missing"
    assert refusal.hint is not None
    assert "pip install 'oomlens[containers]'" in refusal.hint.text


def test_something_that_is_no_engine_is_told(tmp_path: Path, docker: FakeEngine) -> None:
    docker.answers["version"] = ["?"]
    assert refusal_for(docker, "web", "--memory", "1G").code in ("not-answering", "refused", "no-such-container")
    (tmp_path / "file").write_bytes(b"")
    refusal = refusal_for(docker, "web", "--host", f"unix://{tmp_path}/file", host=False)
    assert refusal.code == "not-a-socket"


def test_sockets_are_looked_for_where_the_engines_own_programs_look() -> None:
    found = container_engine.hosts({"DOCKER_HOST": "unix:///a", "XDG_RUNTIME_DIR": "/run/user/7"}, 7)
    assert found[0] == (None, "unix:///a")
    assert (EngineKind.DOCKER, "unix:///run/user/7/docker.sock") in found
    assert (EngineKind.PODMAN, "unix:///run/user/7/podman/podman.sock") in found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use any socket")
def test_a_socket_that_may_not_be_used_is_told(docker: FakeEngine) -> None:
    docker.socket.chmod(0)
    assert refusal_for(docker, "web", "--memory", "1G").code == "not-allowed"
