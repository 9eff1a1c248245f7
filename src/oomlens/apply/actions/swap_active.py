"""swap-active, the other half."""

from __future__ import annotations

import re

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.apply.swapoff import swap_named, swapoff_problem
from oomlens.host.write.swapon import swap_on
from oomlens.model.plan import Json, Step, Text
from oomlens.plan.actions import swap_active

# Busybox' swapon has no -p.
_NO_PRIORITY = re.compile(r"(invalid|unrecognized) option")


def observe(step: Step, machine: Machine) -> Json:
    """Whether it is on, its priority."""
    name = str(step.parameters["path"])
    if machine.tree.text("/proc/swaps") is None:
        raise StepError("/proc/swaps: this kernel has no swap")
    swap = swap_named(name, machine)
    return {"on": False} if swap is None else {"on": True, "priority": swap.priority}


def do(step: Step, before: Json, machine: Machine) -> None:
    """On or off; one that is on with another priority goes off first."""
    if not step.parameters["on"]:
        _off(step, machine)
        return
    if observe(step, machine)["on"]:
        _off(step, machine)
    _on(step, step.parameters["priority"], machine)
    del before


def undo(step: Step, before: Json, machine: Machine) -> None:
    """As it was before."""
    now = observe(step, machine)
    if before["on"] and not now["on"]:
        _on(step, before["priority"], machine)
    elif not before["on"] and now["on"]:
        _off(step, machine)


def obstacle(step: Step, before: Json, machine: Machine) -> Text | None:
    """Why it cannot be turned off again."""
    return None if before["on"] else swapoff_problem(str(step.parameters["path"]), machine)


def _on(step: Step, priority: int | None, machine: Machine) -> None:
    place = machine.place(str(step.parameters["path"]))
    argv = swap_active.on_arguments(step, str(place), priority)
    done = machine.run(argv)
    if done.returncode != 0 and "-p" in argv and _NO_PRIORITY.search(done.stderr) and priority is not None:
        swap_on(place, priority)
    elif done.returncode != 0:
        raise StepError(f"{' '.join(argv)}: {done.stderr or f'exit status {done.returncode}'}")


def _off(step: Step, machine: Machine) -> None:
    name = str(step.parameters["path"])
    problem = swapoff_problem(name, machine)
    if problem is not None:
        raise StepError(problem.text.format_map({key: str(value) for key, value in problem.values.items()}))
    argv = swap_active.off_arguments(step, str(machine.place(name)))
    done = machine.run(argv)
    if done.returncode != 0:
        raise StepError(f"{' '.join(argv)}: {done.stderr or f'exit status {done.returncode}'}")


def torn(_step: Step, _before: Json, _now: Json) -> bool:
    """It is on or off, nothing between."""
    return True


def same(before: Json, now: Json) -> bool:
    """Priorities below 0 are the kernel's own counting and move when another swap goes."""
    if before["on"] != now["on"]:
        return False
    return not before["on"] or before["priority"] == now["priority"] or max(before["priority"], now["priority"]) < 0


DOER = Doer(swap_active.NAME, observe, do, undo, torn, same, obstacle)
