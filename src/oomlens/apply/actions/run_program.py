"""run-program, the other half."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.model.plan import Json, Lasts, Step
from oomlens.plan.actions import run_program


def observe(step: Step, machine: Machine) -> Json:
    """What the probe prints; nothing without a probe. What lasts until a restart is gone where nothing answers any more."""
    argv = step.parameters.get("probe_argv")
    if not argv:
        return {"output": None}
    done = machine.run(argv)
    if done.returncode != 0 and step.lasts is Lasts.RESTART:
        return {"output": None, "gone": True}
    return {"output": done.stdout.strip() if done.returncode == 0 else None}


def do(step: Step, _before: Json, machine: Machine) -> None:
    """Runs the program."""
    _run(step.parameters["argv"], machine)


def undo(step: Step, _before: Json, machine: Machine) -> None:
    """Runs the program that takes it back, if there is one."""
    argv = step.parameters.get("undo_argv")
    if argv:
        _run(argv, machine)


def _run(argv: Sequence[str], machine: Machine) -> None:
    done = machine.run(argv)
    if done.returncode != 0:
        raise StepError(f"{' '.join(argv)}: {done.stderr or done.stdout.strip() or f'exit status {done.returncode}'}")


def torn(_step: Step, _before: Json, _now: Json) -> bool:
    """A program may have been stopped anywhere; it is run again."""
    return True


def same(before: Json, now: Json) -> bool:
    """What is gone has nothing left to restore."""
    return bool(now.get("gone")) or bool(before == now)


DOER = Doer(run_program.NAME, observe, do, undo, torn, same)
