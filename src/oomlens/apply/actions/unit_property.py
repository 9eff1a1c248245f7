"""unit-property, the other half."""

from __future__ import annotations

import base64
from pathlib import PurePosixPath

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.write.files import (
    make_folders,
    remove_empty_folders,
    remove_file,
    replace_file,
    write_value,
)
from oomlens.i18n import message
from oomlens.model.plan import Json, Step, Text
from oomlens.plan.actions import unit_property


def observe(step: Step, machine: Machine) -> Json:
    """What systemd shows, its runtime drop-in, and the kernel's value."""
    unit, key = str(step.parameters["unit"]), str(step.parameters["key"])
    done = machine.run(["systemctl", "show", f"--property={key}", "--value", "--", unit])
    if done.returncode != 0:
        raise StepError(f"systemctl show {unit}: {done.stderr or done.stdout.strip()}")
    runtime = machine.file(unit_property.runtime_file(step))
    where = step.parameters.get("cgroup_file")
    folder, missing = machine.place(unit_property.runtime_file(step)).parent, 0
    while not folder.is_dir():
        folder, missing = folder.parent, missing + 1
    return {
        "missing_folders": missing,
        "value": done.stdout.strip(),
        "runtime_base64": None if runtime is None else base64.b64encode(runtime.content).decode("ascii"),
        "kernel": machine.tree.text(str(where)) if where else None,
    }


def do(step: Step, _before: Json, machine: Machine) -> None:
    """systemctl set-property --runtime."""
    _run(
        machine,
        "set-property",
        "--runtime",
        str(step.parameters["unit"]),
        f"{step.parameters['key']}={step.parameters['value']}",
    )


def undo(step: Step, before: Json, machine: Machine) -> None:
    """The runtime drop-in is as it was, systemd has read it, and so has the kernel."""
    place = machine.place(unit_property.runtime_file(step))
    if before["runtime_base64"] is not None:
        make_folders(place.parent)
        replace_file(place, base64.b64decode(before["runtime_base64"]), mode=0o644)
    elif place.parent.is_dir():
        remove_file(place)
        remove_empty_folders([*place.parents][: int(before["missing_folders"])])
    _run(machine, "daemon-reload")
    where = step.parameters.get("cgroup_file")
    # systemd need not have told the kernel of a value that only a file took back.
    if where and before["kernel"] is not None and machine.tree.text(str(where)) not in (None, before["kernel"]):
        write_value(machine.place(str(where)), str(before["kernel"]))


def _run(machine: Machine, *words: str) -> None:
    done = machine.run(["systemctl", *words])
    if done.returncode != 0:
        raise StepError(f"systemctl {' '.join(words)}: {done.stderr or done.stdout.strip()}")


def torn(_step: Step, _before: Json, _now: Json) -> bool:
    """It is set again, whatever came of it."""
    return True


def same(before: Json, now: Json) -> bool:
    """The value, the drop-in, and what the kernel has."""
    if not unit_property.same(str(before["value"]), str(now["value"])):
        return False
    kernel = unit_property.same_in_kernel(before["kernel"], now["kernel"])
    return kernel and bool(before["runtime_base64"] == now["runtime_base64"])


# What counts against a limit of memory, beside the limit's own file.
_IN_USE = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}


def obstacle(step: Step, before: Json, machine: Machine) -> Text | None:
    """What the unit holds by now may be more than the limit of before: cgroup v2 would take that back and kill, v1 would refuse."""
    where = PurePosixPath(str(step.parameters.get("cgroup_file") or ""))
    limit, in_use = before["kernel"], _IN_USE.get(where.name)
    if in_use is None or limit is None or not str(limit).isdecimal():
        return None
    usage = machine.tree.text(str(where.with_name(in_use)))
    if usage is None or not usage.isdecimal() or int(usage) < int(limit):
        return None
    return Text(
        message("{unit} holds {usage_bytes}, not less than its old limit of {limit_bytes}: it would be killed; stop it first"),
        {"unit": str(step.parameters["unit"]), "usage_bytes": int(usage), "limit_bytes": int(limit)},
    )  # fmt: skip


DOER = Doer(unit_property.NAME, observe, do, undo, torn, same, obstacle)
