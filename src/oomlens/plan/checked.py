"""Plans that somebody may have written by hand: whether every step is one that its action understands."""

from __future__ import annotations

from collections.abc import Iterable

from oomlens.model.plan import Plan
from oomlens.model.plan_codec import PlanError
from oomlens.plan.actions import BY_NAME


def checked(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """The plans. Raises PlanError that names the step."""
    found = tuple(plans)
    for plan in found:
        for step in plan.steps:
            action = BY_NAME.get(step.action)
            if action is None:
                raise PlanError(f"step {step.id}: the action {step.action!r} is not known to this version")
            try:
                action.commands(step, "")
                action.undo_commands(step, "")
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise PlanError(f"step {step.id}: its parameters are not those of {step.action} ({error!r})") from error
    return found
