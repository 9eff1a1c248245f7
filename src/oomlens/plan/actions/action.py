"""The pure half of an action: what a step of it means, and the plain shell that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oomlens.model.plan import Json, Step

Commands = Callable[[Step, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Action:
    """A row of `oomlens.plan.actions.ACTIONS`.

    A state is what the action sees at its target, a JSON value with all that is needed to put it back.
    reached(step, state): whether the change is already there. fits(step, state): whether the state is what the plan was made for.
    commands, undo_commands: (step, prefix of all paths) -> shell lines; `#` lines are comments.
    """

    name: str
    reached: Callable[[Step, Json], bool]
    fits: Callable[[Step, Json], bool]
    commands: Commands
    undo_commands: Commands
