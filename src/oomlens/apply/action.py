"""The other half of an action: seeing, doing, undoing. Its pure half is in `oomlens.plan.actions` under the same name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oomlens.apply.machine import Machine
from oomlens.model.plan import Json, Step, Text


class StepError(Exception):
    """A step that could not be done or taken back; the text says what, where and why, for people."""


def _never(_step: Step, _before: Json, _now: Json) -> bool:
    return False


def _none(_step: Step, _before: Json, _machine: Machine) -> Text | None:
    return None


@dataclass(frozen=True, slots=True)
class Doer:
    """A row of `oomlens.apply.actions.DOERS`.

    observe: the state at the step's target now, a JSON value with all that `undo` needs. Raises StepError or OSError.
    do: makes the change, from the state `before`; may be run again after it was interrupted. Raises StepError or OSError.
    undo: puts the state `before` back; may be run again after it was interrupted. Raises StepError or OSError.
    torn(step, before, now): whether `now` can be what an interrupted `do` or `undo` of ours left behind.
    same(before, now): whether the target is as it was; default: equal.
    obstacle(step, before, machine): why `undo` would do harm now, looked at before anything is taken back; None: nothing.
    """

    name: str
    observe: Callable[[Step, Machine], Json]
    do: Callable[[Step, Json, Machine], None]
    undo: Callable[[Step, Json, Machine], None]
    torn: Callable[[Step, Json, Json], bool] = _never
    same: Callable[[Json, Json], bool] = lambda before, now: bool(before == now)
    obstacle: Callable[[Step, Json, Machine], Text | None] = _none
