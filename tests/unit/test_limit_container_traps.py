"""The measured traps of Docker and Podman, each met by the real client over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.apply.engine import RefusedError
from oomlens.apply.journal import Journal, Status
from oomlens.model.container import UNLIMITED, ContainerFact, EngineFact, EngineKind, Kill, Limits
from oomlens.plan.containers.story import story_of
from support.containers import MIB, applied, engine_for, fake_engine, live_step, plan_for, refusal_for, set_for, words
from support.fake_engine import UNLIMITED as KERNEL_UNLIMITED
from support.fake_engine import FakeEngine
from support.plans import apply_and_roll_back

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


def test_kills_before_a_raise_are_no_reason_for_another() -> None:
    def kill(limit: int) -> Kill:
        return Kill("r", "hog", limit, at_its_limit=True)

    raised = Limits(176 * MIB, 176 * MIB)
    hit, text = story(limits=raised, oom_killed=True, exit_code=137, oom_events=1, reports=(kill(LIMIT),))
    assert hit is False
    assert "at lower limits" in text
    again = (kill(LIMIT), kill(176 * MIB))
    assert story(limits=raised, oom_killed=True, exit_code=137, reports=again)[0] is True
    assert story(limits=raised, oom_killed=True, exit_code=137, oom_events=2, reports=(kill(LIMIT),))[0] is True


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
        assert container.k_swap > 1 << 60 or version == 1
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
