"""swap-active: a swap is on, or off. State: what /proc/swaps says of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from oomlens.model.plan import Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "swap-active"


def swap_on(
    name: str, title: Text, *, priority: int | None = None, on_argv: Sequence[str] = (), off_argv: Sequence[str] = ()
) -> Step:
    """The step that turns a swap on. priority: from 0 on; None: below all others, as the kernel chooses.

    on_argv, off_argv: programs that do it instead of swapon and swapoff, such as systemctl with a unit.
    """
    return _step(name, title, True, priority, on_argv, off_argv)


def swap_off(name: str, title: Text, *, priority: int | None = None, safety: Safety = Safety.SAFE) -> Step:
    """The step that turns a swap off; priority: that it had, for the way back."""
    return _step(name, title, False, priority, (), (), safety)


def _step(
    name: str,
    title: Text,
    on: bool,
    priority: int | None,
    on_argv: Sequence[str],
    off_argv: Sequence[str],
    safety: Safety = Safety.SAFE,
) -> Step:
    parameters: dict[str, Json] = {"path": name, "on": on, "priority": priority}
    if on_argv:
        parameters |= {"on_argv": list(on_argv), "off_argv": list(off_argv)}
    return Step(NAME, name, title, parameters, {"on": not on}, safety, lasts=Lasts.REBOOT)


def on_arguments(step: Step, name: str, priority: int | None) -> list[str]:
    """The program that turns it on. name: where the swap lies for programs."""
    if "on_argv" in step.parameters:
        return [str(word) for word in step.parameters["on_argv"]]
    return ["swapon", *(["-p", str(priority)] if priority is not None and priority >= 0 else []), name]


def off_arguments(step: Step, name: str) -> list[str]:
    """The program that turns it off."""
    if "off_argv" in step.parameters:
        return [str(word) for word in step.parameters["off_argv"]]
    return ["swapoff", name]


def reached(step: Step, state: Json) -> bool:
    """Whether it is on (with the priority, where one was asked for), or off."""
    if not step.parameters["on"] or not state["on"]:
        return bool(step.parameters["on"] == state["on"])
    wanted = step.parameters.get("priority")
    return wanted is None or bool(wanted == state["priority"])


def fits(step: Step, state: Json) -> bool:
    """Whether it is as the planner saw it."""
    return step.before is None or bool(step.before["on"] == state["on"])


def commands(step: Step, prefix: str) -> tuple[str, ...]:
    """One line."""
    name = prefix + str(step.parameters["path"])
    words = (
        on_arguments(step, name, step.parameters["priority"]) if step.parameters["on"] else off_arguments(step, name)
    )
    return (f"sudo {shlex.join(words)}",)


def undo_commands(step: Step, prefix: str) -> tuple[str, ...]:
    """One line."""
    name = prefix + str(step.parameters["path"])
    words = (
        off_arguments(step, name) if step.parameters["on"] else on_arguments(step, name, step.parameters["priority"])
    )
    return (f"sudo {shlex.join(words)}",)


ACTION = Action(NAME, reached, fits, commands, undo_commands)
