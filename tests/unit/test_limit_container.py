"""Limits of containers: the ten measured traps of engines, each met by the real client over a socket."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.apply.action import StepError
from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Application, Journal, Status
from oomlens.apply.machine import Machine
from oomlens.host.read import container_engine
from oomlens.model.container import UNLIMITED, ContainerFact, EngineFact, EngineKind, Kill
from oomlens.plan.actions import commands_of, undo_commands_of
from oomlens.plan.containers.story import story_of
from support.containers import MIB, fake_engine, live_step, plan_for, refusal_for, words
from support.fake_engine import UNLIMITED as KERNEL_UNLIMITED
from support.fake_engine import FakeContainer, FakeEngine
from support.plans import apply_and_roll_back, stopped_everywhere, tree_bytes

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


def engine_for(fake: FakeEngine, state: Path) -> Engine:
    return Engine(Machine(fake.root), Journal(state))


def applied(fake: FakeEngine, state: Path, *argv: str) -> Application:
    result = engine_for(fake, state).apply(plan_for(fake, *argv))
    assert result.application is not None
    return result.application


def set_for(container: FakeContainer) -> tuple[int, int, int, int]:
    """As the engine says, and as the kernel does: memory, memory with swap."""
    return container.memory, container.memsw, container.k_memory, container.k_memsw


def story(**about: object) -> tuple[bool | None, str]:
    container = ContainerFact("c" * 64, "web", **about)  # type: ignore[arg-type]
    found = story_of(container, EngineFact(EngineKind.DOCKER, "unix:///x", "20.10"))
    return found.limit_hit, " ".join(text.text for text in found.texts)


# The flag, the exit code and the kernel


def test_trap_1_a_killed_child_leaves_the_flag_and_exit_code_0(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, running=False, oom_killed=True, exit_code=0)
    plan = plan_for(docker, "web")
    assert "a child was killed, the first process ended by itself" in words(plan)
    assert live_step(plan).parameters["wanted"]["memory_bytes"] == 176 * MIB  # 64 + 100, rounded up to 16


def test_trap_2_the_flag_of_a_container_that_only_hung_is_no_kill(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, usage=LIMIT + 1, oom_kill_disabled=True)
    assert docker.find("web").running  # it hangs at its limit
    plan = plan_for(docker, "web")
    assert "nothing was killed: with --oom-kill-disable its processes hang" in words(plan)
    assert "hang instead of being killed" in words(plan)


def test_trap_3_podman_says_no_and_the_kernel_says_yes(podman: FakeEngine) -> None:
    container = podman.run("web", memory=LIMIT, memsw=LIMIT)
    podman.grow(container, LIMIT + MIB)
    assert (container.oom_killed, container.exit_code) == (False, 137)
    kill = (Kill("r", "hog", LIMIT, at_its_limit=True),)
    hit, text = story(oom_killed=False, exit_code=137, reports=kill)
    assert hit is True
    assert "the kernel is right" in text


def test_an_exit_code_of_137_alone_is_no_evidence() -> None:
    hit, text = story(oom_killed=False, exit_code=137, reports=())
    assert hit is False
    assert "somebody sent SIGKILL" in text
    assert story(oom_killed=False, exit_code=137, reports=None)[0] is None
    assert story(oom_killed=True, exit_code=137, reports=())[0] is True


def test_a_kill_at_another_limit_is_not_its_own() -> None:
    hit, text = story(oom_killed=True, exit_code=137, reports=(Kill("r", "hog", None, at_its_limit=False),))
    assert hit is False
    assert "not at its own limit" in text


def test_trap_10_a_restart_policy_hides_how_it_ended(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=LIMIT, restarts=3, policy="on-failure", oom_events=3)
    plan = plan_for(docker, "web")
    assert "restarted 3 times by its policy on-failure" in words(plan)
    assert ("RestartCount", 3) in [(term.name, term.value) for term in plan.arithmetic]


# Both limits together


def test_trap_4_a_raise_gives_both_limits_at_once(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    applied(docker, tmp_path / "state", "web", "--memory", "256M")
    assert set_for(container) == (256 * MIB, 256 * MIB, 256 * MIB, 256 * MIB)


@pytest.mark.parametrize(
    ("memsw", "wanted"), [(64 * MIB, 256 * MIB), (128 * MIB, 512 * MIB), (96 * MIB, 288 * MIB), (-1, UNLIMITED)]
)
def test_the_room_for_swap_stays_what_it_was(docker: FakeEngine, memsw: int, wanted: int) -> None:
    docker.run("web", memory=LIMIT, memsw=memsw)
    step = live_step(plan_for(docker, "web", "--memory", "256M"))
    assert step.parameters["wanted"] == {"memory_bytes": 256 * MIB, "memsw_bytes": wanted, "pids": None}


@pytest.mark.parametrize("version", [1, 2])
def test_trap_4_swap_without_a_limit_reaches_the_kernel_too(version: int, tmp_path: Path) -> None:
    """Docker takes -1, shows it, and hands nothing on until a restart: a raise of memory then fails on version 1."""
    with fake_engine(cgroup_version=version) as engine:
        container = engine.run("web", memory=LIMIT, memsw=LIMIT)
        application = applied(engine, tmp_path / "state", "web", "--memory", "256M", "--memory-swap", "-1")
        assert (container.memory, container.memsw, container.k_memory) == (256 * MIB, -1, 256 * MIB)
        assert container.k_memsw == KERNEL_UNLIMITED
        engine_for(engine, tmp_path / "state").rollback(application)
        assert set_for(container) == (LIMIT, LIMIT, LIMIT, LIMIT)


def test_trap_5_a_first_limit_needs_both(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web")
    applied(docker, tmp_path / "state", "web", "--memory", "64M")
    assert set_for(container) == (LIMIT, 2 * LIMIT, LIMIT, 2 * LIMIT)  # twice, as the engine does by itself


# A limit cannot be removed live


@pytest.mark.parametrize("version", [1, 2])
def test_trap_6_what_had_no_limit_has_none_again(version: int, tmp_path: Path) -> None:
    with fake_engine(cgroup_version=version) as engine:
        container = engine.run("web")
        plan = plan_for(engine, "web", "--memory", "64M", "--pids", "20")
        assert "Docker cannot take a memory limit away again" in words(plan)
        application = applied(engine, tmp_path / "state", "web", "--memory", "64M", "--pids", "20")
        assert container.pids == 20
        engine_for(engine, tmp_path / "state").rollback(application)
        assert container.memory > 1 << 60
        assert (container.memsw, container.pids, container.k_pids) == (-1, 0, None)
        assert container.k_memory > 1 << 60
        assert container.k_memsw - container.k_memory > 1 << 60 or version == 1  # version 2: swap is the difference
        engine.restart(container)
        assert container.k_memory > 1 << 60


def test_trap_6_a_success_that_changed_nothing_is_not_believed(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=LIMIT, memsw=LIMIT)
    plan = plan_for(docker, "web", "--memory", "256M")
    docker.lies = True
    with pytest.raises(RefusedError) as refused:
        engine_for(docker, tmp_path / "state").apply(plan)
    assert "does not read back" in str(refused.value.reasons[0].values["why"])
    assert set_for(container) == (LIMIT, LIMIT, LIMIT, LIMIT)


# Below what is in use


def test_trap_7_lowering_below_what_it_holds_is_refused(docker: FakeEngine) -> None:
    docker.run("web", memory=256 * MIB, memsw=256 * MIB, usage=80 * MIB)
    refusal = refusal_for(docker, "web", "--memory", "64M")
    assert refusal.code == "in-use"
    assert refusal.text.values == {"usage_bytes": 80 * MIB, "wanted_bytes": LIMIT}


def test_trap_7_file_cache_is_not_in_use(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=256 * MIB, memsw=256 * MIB, usage=20 * MIB, cache=200 * MIB)
    applied(docker, tmp_path / "state", "web", "--memory", "64M")
    assert container.k_memory == LIMIT


def test_trap_7_what_grew_since_the_plan_is_not_killed(docker_v2: FakeEngine, tmp_path: Path) -> None:
    container = docker_v2.run("web", memory=256 * MIB, memsw=256 * MIB)
    plan = plan_for(docker_v2, "web", "--memory", "64M")
    docker_v2.grow(container, 100 * MIB)
    with pytest.raises(RefusedError) as refused:
        engine_for(docker_v2, tmp_path / "state").apply(plan)
    assert "it would be killed" in refused.value.reasons[0].text
    assert container.running  # version 2 would have taken the limit and killed
    assert container.k_memory == 256 * MIB


def test_trap_7_rollback_does_not_kill_what_holds_more_than_the_old_limit(
    docker_v2: FakeEngine, tmp_path: Path
) -> None:
    container = docker_v2.run("web", memory=LIMIT, memsw=LIMIT)
    application = applied(docker_v2, tmp_path / "state", "web", "--memory", "256M")
    docker_v2.grow(container, 100 * MIB)
    with pytest.raises(RefusedError) as refused:
        engine_for(docker_v2, tmp_path / "state").rollback(application)
    assert "stop it first" in refused.value.reasons[0].text
    assert container.running
    assert Journal(tmp_path / "state").applications()[0].status is Status.APPLIED  # nothing was begun
    container.running = False
    engine_for(docker_v2, tmp_path / "state").rollback(application)
    docker_v2.restart(container)
    assert not container.running  # killed again, as before the plan
    assert container.exit_code == 137


def test_the_kernels_refusal_on_version_1_is_told_and_nothing_changed(docker: FakeEngine, tmp_path: Path) -> None:
    container = docker.run("web", memory=256 * MIB, memsw=256 * MIB)
    plan = plan_for(docker, "web", "--memory", "64M")
    step = live_step(plan)
    step.parameters["wanted"]["memsw_bytes"] = 32 * MIB
    with pytest.raises(RefusedError) as refused:
        engine_for(docker, tmp_path / "state").apply(plan)
    assert "larger than memory limit" in str(refused.value.reasons[0].values["why"])
    assert container.memory == 256 * MIB


@pytest.mark.parametrize(("size", "code"), [("5M", "below-minimum"), ("64G", "more-than-host")])
def test_trap_8_sizes_that_cannot_be(docker: FakeEngine, size: str, code: str) -> None:
    docker.run("web", usage=MIB)
    assert refusal_for(docker, "web", "--memory", size).code == code


def test_swap_counts_memory_too(docker: FakeEngine) -> None:
    docker.run("web")
    assert refusal_for(docker, "web", "--memory", "64M", "--memory-swap", "32M").code == "swap-below-memory"
    assert refusal_for(docker, "web", "--memory-swap", "32M").code == "memory-missing"


def test_a_reservation_stays_below_the_limit(docker: FakeEngine) -> None:
    docker.run("web", memory=256 * MIB, memsw=256 * MIB, reservation=128 * MIB)
    assert refusal_for(docker, "web", "--memory", "64M").code == "below-reservation"


# Podman


def test_podman_is_asked_by_its_own_api_and_believed_only_in_the_kernels_files(
    podman: FakeEngine, tmp_path: Path
) -> None:
    """Its Docker-like update resets the restart policy; and inspect of 4.3 goes on showing the old limits."""
    container = podman.run("web", memory=LIMIT, memsw=LIMIT)
    plan = plan_for(podman, "web", "--memory", "256M")
    assert "until the container is restarted" in words(plan)
    apply_and_roll_back(plan, podman.root, tmp_path / "state")
    assert {path for method, path, _ in podman.calls if method == "POST"} == {
        f"/libpod/containers/{container.id}/update"
    }
    assert (container.k_memory, container.k_memsw) == (LIMIT, LIMIT)


def test_podman_of_old_changes_only_what_runs(podman: FakeEngine) -> None:
    podman.run("web", memory=LIMIT, memsw=LIMIT, running=False)
    plan = plan_for(podman, "web", "--memory", "256M")
    assert [step.action for step in plan.steps] == ["by-hand", "by-hand"]
    assert "can only change a container that runs" in words(plan)


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


def test_a_kernel_that_counts_no_swap_is_asked_for_memory_alone(docker: FakeEngine) -> None:
    docker.run("web", memory=LIMIT, memsw=-1)
    docker.answers["info"]["SwapLimit"] = False
    plan = plan_for(docker, "web", "--memory", "32M")
    assert live_step(plan).parameters["wanted"]["memsw_bytes"] is None
    assert "swapaccount=1" in words(plan)


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
