"""Plans for containers of a fake engine, as a person asks for them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from oomlens.apply.engine import Engine as ApplyEngine
from oomlens.apply.journal import Application, Journal
from oomlens.apply.machine import Machine
from oomlens.cli.planning import limit_container
from oomlens.host.read.reader import Reader
from oomlens.i18n import english
from oomlens.model.plan import Plan, Proposal, Refusal, Step
from oomlens.render.plan import told
from support.fake_engine import FakeContainer, FakeEngine, serving

MIB = 1 << 20


@contextmanager
def fake_engine(kind: str = "docker-20.10", cgroup_version: int = 1) -> Iterator[FakeEngine]:
    """An engine and the machine it is on, in a folder of its own: a socket's path has at most 107 bytes."""
    with TemporaryDirectory(prefix="oomlens-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        with serving(FakeEngine(Path(folder) / "s", root, kind=kind, cgroup_version=cgroup_version)) as engine:
            yield engine


def propose(engine: FakeEngine, *argv: str, host: bool = True) -> Proposal:
    """What `oomlens plan limit container …` proposes."""
    parser = argparse.ArgumentParser()
    limit_container.add_arguments(parser, english)
    args = parser.parse_args([*argv, *(("--host", engine.host) if host else ())])
    args.root, args.source = engine.root, []
    (found,) = limit_container.propose(args, Reader(engine.root))
    return found


def plan_for(engine: FakeEngine, *argv: str) -> Plan:
    """The plan; what was refused fails the test with the reason."""
    found = propose(engine, *argv)
    assert isinstance(found, Plan), found
    return found


def refusal_for(engine: FakeEngine, *argv: str, host: bool = True) -> Refusal:
    found = propose(engine, *argv, host=host)
    assert isinstance(found, Refusal), found
    return found


def live_step(plan: Plan) -> Step:
    (step,) = (step for step in plan.steps if step.action == "container-update")
    return step


def words(plan: Plan) -> str:
    """Why, and what it warns of, in English."""
    return "\n".join(told(text, english) for text in (*plan.why, *plan.warnings))


def engine_for(fake: FakeEngine, state: Path) -> ApplyEngine:
    return ApplyEngine(Machine(fake.root), Journal(state))


def applied(fake: FakeEngine, state: Path, *argv: str) -> Application:
    result = engine_for(fake, state).apply(plan_for(fake, *argv))
    assert result.application is not None
    return result.application


def set_for(container: FakeContainer) -> tuple[int, int, int, int]:
    """As the engine says, and as the kernel does: memory, memory with swap."""
    return container.memory, container.memsw, container.k_memory, container.k_memsw
