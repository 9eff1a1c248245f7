"""Limits of containers: applied, stopped anywhere, taken back; sized; refused with what to do instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oomlens.apply.action import StepError
from oomlens.apply.engine import RefusedError
from oomlens.apply.journal import Journal, Status
from oomlens.host.read import container_engine
from oomlens.model.container import EngineKind
from oomlens.model.plan import Plan, Refusal
from oomlens.plan.actions import commands_of, undo_commands_of
from support.containers import (
    MIB,
    applied,
    engine_for,
    fake_engine,
    live_step,
    plan_for,
    propose,
    refusal_for,
    set_for,
    words,
)
from support.fake_engine import FakeEngine
from support.plans import apply_and_roll_back, stopped_everywhere, tree_bytes
from support.proof import proven

LIMIT = 64 * MIB


@pytest.fixture
def docker() -> Iterator[FakeEngine]:
    with fake_engine() as engine:
        yield engine


@pytest.fixture
def docker_v2() -> Iterator[FakeEngine]:
    with fake_engine(cgroup_version=2) as engine:
        yield engine


@pytest.fixture
def podman() -> Iterator[FakeEngine]:
    with fake_engine("podman-4.3") as engine:
        yield engine


# Applied, stopped anywhere, taken back


@pytest.mark.parametrize("kind", ["docker-20.10", "podman-4.3"])
@pytest.mark.parametrize("version", [1, 2])
def test_applied_twice_changes_once_and_rolls_back_to_what_the_kernel_had(
    kind: str, version: int, tmp_path: Path
) -> None:
    with fake_engine(kind, version) as engine:
        engine.run("web", memory=LIMIT, memsw=LIMIT, pids=30)
        plan = plan_for(engine, "web", "--memory", "256M", "--memory-swap", "-1", "--pids", "50")
        apply_and_roll_back(plan, engine.root, tmp_path / "state")
    what = f"{kind}, cgroup version {version}: applied, verified, applied again, taken back to what the kernel had"
    proven("containers", "limit container", "fake-root", what)


def test_stopped_at_any_point_it_is_ended_or_taken_back(tmp_path: Path) -> None:
    engines: list[FakeEngine] = []
    with fake_engine() as engine:
        engine.run("web", memory=LIMIT, memsw=LIMIT, pids=30)
        plan = plan_for(engine, "web", "--memory", "256M", "--memory-swap", "-1", "--pids", "50")
        numbers = iter(range(1000))

        def fresh() -> tuple[Path, Path, None]:
            engines.append(engine)
            return engine.root, tmp_path / str(next(numbers)), None

        assert stopped_everywhere(plan, fresh) >= 6
        assert set_for(engine.find("web")) == (LIMIT, LIMIT, LIMIT, LIMIT)


def test_an_update_that_was_stopped_half_way_is_taken_back(docker: FakeEngine, tmp_path: Path) -> None:
    """The connection is lost before any call of the way back."""
    container = docker.run("web", memory=LIMIT, memsw=LIMIT, pids=30)
    plan = plan_for(docker, "web", "--memory", "256M", "--memory-swap", "-1", "--pids", "50")
    for number in range(2):  # two calls on the way back: the limits, the processes
        state = tmp_path / str(number)
        application = engine_for(docker, state).apply(plan).application
        assert application is not None
        docker.lost_after = number
        with pytest.raises(StepError, match=r"unix://"):
            engine_for(docker, state).rollback(application)
        docker.lost_after = None
        engine_for(docker, state).rollback(application)
        assert set_for(container) == (LIMIT, LIMIT, LIMIT, LIMIT)
        assert container.pids == 30


def test_what_somebody_else_changed_since_is_refused(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    plan = plan_for(docker, "web", "--memory", "256M")
    docker.update(container, {"Memory": 128 * MIB, "MemorySwap": 128 * MIB})
    with pytest.raises(RefusedError):
        engine_for(docker, tmp_path / "state").apply(plan)
    docker.update(container, {"Memory": LIMIT, "MemorySwap": LIMIT})
    application = applied(docker, tmp_path / "state", "web", "--memory", "256M")
    docker.update(container, {"Memory": 512 * MIB, "MemorySwap": 512 * MIB})
    with pytest.raises(RefusedError) as refused:
        engine_for(docker, tmp_path / "state").rollback(application)
    assert any(str(512 * MIB) in line for line in refused.value.diff)
    assert container.memory == 512 * MIB


def test_a_container_that_was_created_anew_is_another_one(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    application = applied(docker, tmp_path / "state", "web", "--memory", "256M")
    docker.remove(container)
    other = docker.run("web", memory=256 * MIB, memsw=256 * MIB, image="oomtest:2")
    other.number += 7
    with pytest.raises(RefusedError) as refused:
        engine_for(docker, tmp_path / "state").rollback(application)
    assert any(other.id in line for line in refused.value.diff)
    assert other.memory == 256 * MIB
    docker.remove(other)  # taken down: nothing is left to take back
    engine_for(docker, tmp_path / "state").rollback(application)
    assert Journal(tmp_path / "state").applications()[0].status is Status.ROLLED_BACK


def test_a_plan_for_a_container_that_is_gone_is_refused(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    plan = plan_for(docker, "web", "--memory", "256M")
    docker.remove(container)
    with pytest.raises(RefusedError):
        engine_for(docker, tmp_path / "state").apply(plan)


# Sizes


def test_a_first_kill_raises_by_a_quarter_and_at_least_100_mib(docker: FakeEngine) -> None:
    docker.run("web", memory=1024 * MIB, memsw=2048 * MIB, running=False, oom_killed=True, exit_code=137)
    wanted = live_step(plan_for(docker, "web")).parameters["wanted"]
    # 1.25 * 1024 = 1280, a multiple of 64; twice that with swap, as before.
    assert wanted == {"memory_bytes": 1280 * MIB, "memsw_bytes": 2560 * MIB, "pids": None}


def test_what_has_no_limit_is_sized_by_its_peak(docker: FakeEngine) -> None:
    docker.run("web", usage=100 * MIB, peak=200 * MIB)
    wanted = live_step(plan_for(docker, "web")).parameters["wanted"]
    assert wanted["memory_bytes"] == 240 * MIB  # 1.15 * 200 = 230, rounded up to 16


def test_without_evidence_nothing_is_sized(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT)
    assert refusal_for(docker, "web").code == "no-evidence"


def test_a_fourth_raise_is_called_a_leak(docker: FakeEngine) -> None:
    state = docker.root / "var/lib/oomlens"
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    limits: list[int] = []
    for _ in range(3):
        docker.grow(container, container.memory + MIB)
        assert not container.running
        engine_for(docker, state).apply(plan_for(docker, "web"))
        limits.append(container.memory // MIB)
        container.usage = 10 * MIB
        docker.restart(container)
    # 64 + 100 -> 176; then half more each: 264 -> 288 because it is at least 100 more (276), 432 -> 432.
    assert limits == [176, 288, 432]
    docker.grow(container, container.memory + MIB)
    refusal = refusal_for(docker, "web")
    assert refusal.code == "leak"
    assert refusal.text.values == {"count": 3}
    assert "look for a leak" in words(plan_for(docker, "web", "--memory", "1G"))


# Who owns it, and who cannot be asked


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


# What is shown


def test_the_shown_commands_are_the_engines_own(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT)
    step = live_step(plan_for(docker, "web", "--memory", "256M", "--memory-swap", "-1", "--pids", "50"))
    start = f"sudo docker --host {docker.host} update"
    assert commands_of(step) == (
        f"{start} --memory 256M --memory-swap 9007199254740988K web",
        f"{start} --memory-swap -1 web",
        f"{start} --pids-limit 50 web",
    )
    assert undo_commands_of(step) == (f"{start} --memory 64M --memory-swap 64M web", f"{start} --pids-limit -1 web")


def test_planning_changes_nothing(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT)
    before = tree_bytes(docker.root)
    plan_for(docker, "web", "--memory", "256M")
    assert {method for method, _, _ in docker.calls} == {"GET"}
    assert tree_bytes(docker.root) == before


def test_the_same_wish_gives_the_same_plan(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, running=False, oom_killed=True, exit_code=137)
    sized = plan_for(docker, "web")
    argv = sized.argv[2:]
    asked = plan_for(docker, *argv[: argv.index("--host")])
    assert asked.id == sized.id
