"""by-hand: commands or a patch for whoever owns the thing; apply shows them and does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "by-hand"


def by_hand(
    commands: Sequence[str],
    title: Text,
    *,
    target: str,
    undo: Sequence[str] = (),
    effect: Effect = Effect.NOW,
    lasts: Lasts = Lasts.FOR_GOOD,
    diff: tuple[str, ...] = (),
) -> Step:
    """The step that a person does: shell lines (quoted by the caller), or a diff to apply elsewhere."""
    parameters = {"commands": list(commands), "undo": list(undo)}
    return Step(NAME, target, title, parameters, None, Safety.MANUAL, effect, lasts, diff)


def _never(_step: Step, _state: Json) -> bool:
    return False


def _always(_step: Step, _state: Json) -> bool:
    return True


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """As they were given."""
    return tuple(map(str, step.parameters["commands"]))


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """As they were given."""
    return tuple(map(str, step.parameters["undo"]))


ACTION = Action(NAME, _never, _always, commands, undo_commands)
