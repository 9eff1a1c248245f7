"""What every kind of plan must survive: carried out, seen, carried out again, taken back, and stopped at any point."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from oomlens.apply.engine import Engine, Result
from oomlens.apply.journal import Application, Journal, Progress
from oomlens.apply.machine import Machine, Run
from oomlens.model.plan import Plan
from oomlens.plan.actions import commands_of, undo_commands_of
from support.proof import proven


class Entry(NamedTuple):
    """Everything that a restored file must have again."""

    mode: int
    uid: int
    gid: int
    content: bytes | str | None


def tree_bytes(root: Path) -> Mapping[str, Entry]:
    """Every file, link and folder below a root with its bytes, mode and owner."""
    found: dict[str, Entry] = {}
    for place in sorted(root.rglob("*")):
        about = place.lstat()
        content = str(place.readlink()) if place.is_symlink() else place.read_bytes() if place.is_file() else None
        found[str(place.relative_to(root))] = Entry(about.st_mode, about.st_uid, about.st_gid, content)
    return found


class StoppedError(BaseException):
    """The power went; nothing catches this."""


def apply_and_roll_back(
    plan: Plan, root: Path, state: Path, run: Run | None = None, allowed: frozenset[str] = frozenset()
) -> Application:
    """Applied once, it is in place; applied twice, nothing changes; rolled back, the tree is byte-identical."""
    machine, journal = Machine(root, run), Journal(state)
    engine = Engine(machine, journal)
    before = tree_bytes(root)
    first = engine.apply(plan, allowed)
    assert first.application is not None
    assert engine.in_place(first.application) is not False
    after = tree_bytes(root)
    again = engine.apply(plan, allowed)
    assert not again.changed
    assert tree_bytes(root) == after
    engine.rollback(first.application)
    assert tree_bytes(root) == before
    proven("fake-root", plan.kind, "fake-root", "applied, applied again, rolled back: byte-identical", kernel="-")
    return first.application


def stopped_everywhere(
    plan: Plan, fresh: Callable[[], tuple[Path, Path, Run | None]], allowed: frozenset[str] = frozenset()
) -> int:
    """Stops at every point of apply, and of rollback; the next apply or rollback ends it. Gives the number of points.

    fresh: a new root, state folder and program runner, the same each time.
    """
    points = _points(plan, fresh, allowed)
    for number in range(len(points)):
        for finish in (True, False):
            root, state, run = fresh()
            before = tree_bytes(root)
            _stopped(plan, root, state, run, allowed, number)
            engine = Engine(Machine(root, run), Journal(state))
            if finish:
                engine.apply(plan, allowed)
            for application in reversed(Journal(state).applications()):
                engine.rollback(application)
            assert tree_bytes(root) == before, f"stopped at {points[number]}, finish={finish}"
    proven(
        "fake-root",
        plan.kind,
        "fake-root",
        "stopped at every point: finished or taken back, byte-identical",
        kernel="-",
    )
    return len(points)


def _points(plan: Plan, fresh: Callable[[], tuple[Path, Path, Run | None]], allowed: frozenset[str]) -> list[str]:
    root, state, run = fresh()
    points: list[str] = []
    engine = Engine(Machine(root, run), Journal(state), at=points.append)
    result = engine.apply(plan, allowed)
    assert result.application is not None
    engine.rollback(result.application)
    return points


def _stopped(plan: Plan, root: Path, state: Path, run: Run | None, allowed: frozenset[str], number: int) -> None:
    left = [number]

    def at(_point: str) -> None:
        if left[0] == 0:
            raise StoppedError
        left[0] -= 1

    engine = Engine(Machine(root, run), Journal(state), at=at)
    try:
        result: Result = engine.apply(plan, allowed)
        if result.application is not None:
            engine.rollback(result.application)
    except StoppedError:
        return
    raise AssertionError("it was not stopped")


def shell_of(plan: Plan, prefix: str, *, undo: bool = False) -> str:
    """The commands that are shown for the file steps of a plan, as one script; without sudo, below a prefix."""
    steps = [step for step in plan.steps if step.action == "edit-file"]
    lines = [
        line
        for step in (reversed(steps) if undo else steps)
        for line in (undo_commands_of if undo else commands_of)(step, prefix)
    ]
    return "\n".join(["set -eu", *(re.sub(r"^sudo ", "", line) for line in lines)]) + "\n"


def run_shell(script: str) -> None:
    """Runs the shown commands for real."""
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})


def undone(application: Application) -> bool:
    """Whether every step that was begun was taken back."""
    return all(
        record.progress in (Progress.UNDONE, Progress.ALREADY, Progress.SKIPPED)
        for record in application.steps.values()
    )
