"""swap-file: a swap file is there, of a size, or is not. State: size, mode, owner and swap header of what is at the path.

A swap file's content is nobody's data: one that was removed is made again with its header, not with what was swapped out.
"""

from __future__ import annotations

import shlex

from oomlens.kernel.sizes import suffixed
from oomlens.model.plan import Json, Step, Text
from oomlens.plan.actions.action import Action

NAME = "swap-file"
ABSENT = {"present": False, "leftover": False}
MIB = 1 << 20


def swap_file(path: str, size_bytes: int, title: Text) -> Step:
    """The step that makes a swap file where there is nothing; whole MiB, mode 0600, with the kernel's page size."""
    parameters: dict[str, Json] = {"path": path, "present": True, "size_bytes": size_bytes}
    return Step(NAME, path, title, parameters, {"present": False})


def no_swap_file(path: str, size_bytes: int, title: Text) -> Step:
    """The step that removes a swap file of that size; taken back, it is made again."""
    parameters: dict[str, Json] = {"path": path, "present": False, "size_bytes": size_bytes}
    return Step(NAME, path, title, parameters, {"present": True, "size_bytes": size_bytes})


def reached(step: Step, state: Json) -> bool:
    """Whether it is there whole, or gone; what an interrupted run left beside it is not."""
    if state["leftover"]:
        return False
    if not step.parameters["present"]:
        return not state["present"]
    return bool(state["present"] and state["swap"] and state["size_bytes"] == step.parameters["size_bytes"])


def fits(step: Step, state: Json) -> bool:
    """Whether nothing is at the path, or the swap file that the planner saw."""
    if step.before is None or not step.before["present"]:
        return not state["present"]
    return bool(state["present"] and state["swap"] and state["size_bytes"] == step.before["size_bytes"])


def commands(step: Step, prefix: str) -> tuple[str, ...]:
    """As the step does it; where swapon refuses the file afterwards, it has to be written."""
    path = shlex.quote(prefix + step.parameters["path"])
    if not step.parameters["present"]:
        return (f"sudo rm {path}",)
    return _made(path, int(step.parameters["size_bytes"]))


def undo_commands(step: Step, prefix: str) -> tuple[str, ...]:
    """The way back."""
    path = shlex.quote(prefix + step.parameters["path"])
    if step.parameters["present"]:
        return (f"sudo rm {path}",)
    return _made(path, int(step.parameters["size_bytes"]))


def _made(path: str, size_bytes: int) -> tuple[str, ...]:
    written = f"sudo dd if=/dev/zero of={path} bs=1M count={size_bytes // MIB} conv=fsync"
    return (
        f"sudo touch {path}",
        f"sudo chattr +C {path} 2>/dev/null || true",
        f"sudo chmod 600 {path}",
        f"sudo fallocate -l {suffixed(size_bytes)} {path} || {written}",
        "# where swapon refuses it (holes), write it and run mkswap again:",
        f"#   {written}",
        f"sudo mkswap {path}",
    )


ACTION = Action(NAME, reached, fits, commands, undo_commands)
