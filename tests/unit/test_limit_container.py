"""Limits of containers: applied, stopped anywhere, taken back; sized; refused with what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.apply.action import StepError
from oomlens.apply.engine import RefusedError
from oomlens.apply.journal import Journal, Status
from oomlens.plan.actions import commands_of, undo_commands_of
from support.containers import (
    MIB,
    applied,
    engine_for,
    fake_engine,
    live_step,
    plan_for,
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


@pytest.mark.parametrize("version", [1, 2])
def test_its_cgroup_tells_of_kills_and_of_its_peak(version: int) -> None:
    with fake_engine(cgroup_version=version) as engine:
        engine.run("web", memory=LIMIT, memsw=LIMIT, kills=2, peak=LIMIT)
        plan = plan_for(engine, "web")
        assert live_step(plan).parameters["wanted"]["memory_bytes"] == 176 * MIB  # 64 + 100; 1.5 * 64 would be less
        told = {term.name: term for term in plan.arithmetic}
        assert (told["oom_kill"].value, told["peak"].value) == (2, LIMIT)
        assert told["peak"].comparison == f"{LIMIT} / limit {LIMIT} >= 0.98"  # a lower bound
        assert plan.watch.cgroups == (f"/docker/{engine.find('web').id}",)


@pytest.mark.parametrize("version", [1, 2])
def test_docker_in_docker_is_limited_by_the_outer_container(version: int) -> None:
    outer = "d" * 64
    with fake_engine(cgroup_version=version) as engine:
        engine.below = f"docker/{outer}/"
        engine.run("web", memory=LIMIT, memsw=LIMIT, kills=1)
        name = "memory/docker" if version == 1 else "docker"
        limit = "memory.limit_in_bytes" if version == 1 else "memory.max"
        for path in (outer, f"{outer}/docker"):
            place = engine.root / "sys/fs/cgroup" / name / path / limit
            place.write_text(f"{LIMIT if path == outer else 1 << 62}\n", encoding="ascii")
        refusal = refusal_for(engine, "web", "--memory", "256M")
        assert refusal.code == "outer-limit"
        assert refusal.text.values == {"path": f"/docker/{outer}", "outer_bytes": LIMIT}
        assert "the container dddddddddddd itself" in words(plan_for(engine, "web", "--memory", "32M"))


def test_what_the_host_lacks_is_not_promised(docker: FakeEngine) -> None:
    """16 GiB of RAM, of which others hold 14: 1.25 * 1.75 GiB would be 2.1875, but only 2 are left."""
    gib = 1024 * MIB
    docker.answers["info"]["MemTotal"] = 16 * gib
    meminfo = f"MemTotal: {16 << 20} kB\nMemAvailable: {2 << 20} kB\n"
    (docker.root / "proc/meminfo").write_text(meminfo, encoding="ascii")
    container = docker.run("web", memory=1792 * MIB, memsw=1792 * MIB, running=False, oom_killed=True, exit_code=137)
    plan = plan_for(docker, "web")
    assert live_step(plan).parameters["wanted"]["memory_bytes"] == 2 * gib
    assert container.memory == 1792 * MIB
    docker.run("db", reservation=15 * gib)
    refusal = refusal_for(docker, "web")
    assert refusal.code == "host-is-full"
    assert refusal.text.values["most_bytes"] == gib
    assert "only 1 GiB of the host's RAM" in words(plan_for(docker, "web", "--memory", "2G"))


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
