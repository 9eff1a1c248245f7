"""run-program: a program that makes the change, one that takes it back, and one that tells which of the two is there.

For changes that only a program can make (`systemctl daemon-reload`, `mkswap`). State: what the probe printed.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "run-program"


def run_program(
    argv: Sequence[str],
    title: Text,
    *,
    target: str,
    undo_argv: Sequence[str] | None = None,
    probe_argv: Sequence[str] | None = None,
    before: str | None = None,
    after: str | None = None,
    safety: Safety = Safety.SAFE,
    effect: Effect = Effect.NOW,
    lasts: Lasts = Lasts.FOR_GOOD,
) -> Step:
    """The step that runs `argv` (no shell).

    undo_argv: takes it back; None: nothing to take back (`daemon-reload` after a file was restored is run again: give it here).
    probe_argv: read-only, prints the state; before, after: what it prints then, stripped. Without a probe the step is run
    whenever an earlier step changed something.
    """
    parameters: dict[str, Json] = {
        "argv": list(argv),
        "undo_argv": None if undo_argv is None else list(undo_argv),
        "probe_argv": None if probe_argv is None else list(probe_argv),
        "after": after,
    }
    return Step(NAME, target, title, parameters, None if before is None else {"output": before}, safety, effect, lasts)


def reached(step: Step, state: Json) -> bool:
    """Whether the probe prints what it prints afterwards; never without a probe."""
    return step.parameters.get("after") is not None and state.get("output") == step.parameters["after"]


def fits(step: Step, state: Json) -> bool:
    """Whether the probe prints what it printed to the planner."""
    return step.before is None or bool(state.get("output") == step.before["output"])


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The program."""
    return (f"sudo {shlex.join(step.parameters['argv'])}",)


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The program that takes it back."""
    argv = step.parameters.get("undo_argv")
    return (f"sudo {shlex.join(argv)}",) if argv else ()


ACTION = Action(NAME, reached, fits, commands, undo_commands)
