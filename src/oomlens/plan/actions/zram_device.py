"""zram-device: a free zram device gets a size and a swap header. State: its size, algorithm, whether it has the header.

Source: Documentation/admin-guide/blockdev/zram.rst. /sys/class/zram-control/hot_add is never touched: reading it makes a device.
"""

from __future__ import annotations

import shlex

from oomlens.model.plan import Json, Lasts, Step, Text
from oomlens.plan.actions.action import Action

NAME = "zram-device"


def zram_device(
    device: str, size_bytes: int, title: Text, *, algorithm: str | None = None, limit_bytes: int | None = None
) -> Step:
    """The step that sets a device up. device: `zram0`. algorithm: None: the kernel's. limit_bytes: RAM that it may take."""
    parameters: dict[str, Json] = {
        "device": device,
        "size_bytes": size_bytes,
        "algorithm": algorithm,
        "limit_bytes": limit_bytes,
    }
    return Step(NAME, f"/dev/{device}", title, parameters, {"disk_bytes": 0}, lasts=Lasts.REBOOT)


def reached(step: Step, state: Json) -> bool:
    """Whether it has the size (rounded up to pages by the kernel) and a swap header."""
    beyond = int(state["disk_bytes"]) - int(step.parameters["size_bytes"])
    return 0 <= beyond < 65536 and bool(state["swap"])


def fits(_step: Step, state: Json) -> bool:
    """Whether it is free."""
    return bool(state["disk_bytes"] == 0)


def lines(step: Step, prefix: str, sudo: str) -> list[str]:
    """The shell lines that set it up."""
    folder = f"{prefix}/sys/block/{step.parameters['device']}"

    def write(value: object, name: str) -> str:
        target = shlex.quote(f"{folder}/{name}")
        return (
            f"echo {shlex.quote(str(value))} | {sudo}tee {target}"
            if sudo
            else f"echo {shlex.quote(str(value))} > {target}"
        )

    made = [f"{sudo}modprobe zram || true"]
    if step.parameters.get("algorithm"):
        made.append(write(step.parameters["algorithm"], "comp_algorithm"))
    made.append(write(step.parameters["size_bytes"], "disksize"))
    if step.parameters.get("limit_bytes"):
        made.append(write(step.parameters["limit_bytes"], "mem_limit"))
    return [*made, f"{sudo}mkswap {shlex.quote(prefix + step.target)}"]


def commands(step: Step, prefix: str) -> tuple[str, ...]:
    """As the step does it."""
    return tuple(lines(step, prefix, "sudo "))


def undo_commands(step: Step, prefix: str) -> tuple[str, ...]:
    """The device is free again."""
    place = f"{prefix}/sys/block/{step.parameters['device']}/reset"
    return (f"echo 1 | sudo tee {shlex.quote(place)}",)


ACTION = Action(NAME, reached, fits, commands, undo_commands)
