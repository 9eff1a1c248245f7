"""kubernetes-resize: memory of a running pod's container, by the pod's `resize` subresource; the pod stays."""

from __future__ import annotations

from oomlens.plan.actions.action import Action
from oomlens.plan.kubernetes.memory_step import RESIZE, commands, fits, reached, undo_commands

NAME = RESIZE
ACTION = Action(NAME, reached, fits, commands, undo_commands)
