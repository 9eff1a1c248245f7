"""unit-property, the other half."""

from __future__ import annotations

import base64

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.write.files import (
    make_folders,
    remove_empty_folders,
    remove_file,
    replace_file,
    write_value,
)
from oomlens.model.plan import Json, Step
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
    """The value and the drop-in."""
    return unit_property.same(str(before["value"]), str(now["value"])) and bool(
        before["runtime_base64"] == now["runtime_base64"]
    )


DOER = Doer(unit_property.NAME, observe, do, undo, torn, same)
