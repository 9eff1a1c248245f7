"""The pure halves of all actions; each has its other half, by the same file name, in `oomlens.apply.actions`."""

from __future__ import annotations

from oomlens.model.plan import Step
from oomlens.plan.actions import (
    by_hand,
    container_update,
    edit_file,
    kubernetes_apply,
    kubernetes_resize,
    run_program,
    set_value,
    swap_active,
    swap_file,
    unit_property,
    zram_device,
)
from oomlens.plan.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    by_hand.ACTION,
    container_update.ACTION,
    edit_file.ACTION,
    kubernetes_apply.ACTION,
    kubernetes_resize.ACTION,
    run_program.ACTION,
    set_value.ACTION,
    swap_active.ACTION,
    swap_file.ACTION,
    unit_property.ACTION,
    zram_device.ACTION,
)
BY_NAME = {action.name: action for action in ACTIONS}


def commands_of(step: Step, prefix: str = "") -> tuple[str, ...]:
    """The plain shell that does what the step does. prefix: put before its paths."""
    return BY_NAME[step.action].commands(step, prefix)


def undo_commands_of(step: Step, prefix: str = "") -> tuple[str, ...]:
    """The plain shell that takes it back."""
    return BY_NAME[step.action].undo_commands(step, prefix)
