"""kubernetes-apply: memory of a workload's container, by server-side apply as the field manager `oomlens`."""

from __future__ import annotations

from oomlens.plan.actions.action import Action
from oomlens.plan.kubernetes.memory_step import APPLY, commands, fits, reached, undo_commands

NAME = APPLY
ACTION = Action(NAME, reached, fits, commands, undo_commands)
