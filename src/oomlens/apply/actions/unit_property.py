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
from oomlens.model.plan import Json, Safety, Step, Text
from oomlens.plan.actions import unit_property

# What counts against a limit of memory, beside the limit's own file.
_IN_USE = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}


def observe(step: Step, machine: Machine) -> Json:
    """What systemd shows, its runtime drop-in, and the kernel's value, where the unit runs."""
    shown = _shown(step, machine)
    runtime = machine.file(unit_property.runtime_file(step))
    where = _kernel_file(step, shown, machine)
    folder, missing = machine.place(unit_property.runtime_file(step)).parent, 0
    while not folder.is_dir():
        folder, missing = folder.parent, missing + 1
    return {
        "missing_folders": missing,
        "value": shown[str(step.parameters["key"])],
        "runtime_base64": None if runtime is None else base64.b64encode(runtime.content).decode("ascii"),
        "kernel": None if where is None else machine.tree.text(where),
    }


def _shown(step: Step, machine: Machine) -> dict[str, str]:
    unit, key = str(step.parameters["unit"]), str(step.parameters["key"])
    done = machine.run(["systemctl", "show", f"--property={key},ControlGroup", "--", unit])
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if done.returncode != 0 or key not in shown:
        raise StepError(f"systemctl show {unit}: {done.stderr or done.stdout.strip() or f'it has no {key}'}")
    return shown


def _kernel_file(step: Step, shown: dict[str, str], machine: Machine) -> str | None:
    """Of the unit's cgroup, version 2 or 1; None where it does not run."""
    group = shown.get("ControlGroup", "")
    folders = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory")
    for folder, name in zip(folders, step.parameters["kernel_files"], strict=False):
        path = f"{folder}{group}/{name}"
        if group.startswith("/") and name and machine.place(path).exists():
            return path
    return None


def do(step: Step, _before: Json, machine: Machine) -> None:
    """systemctl set-property --runtime; not where that would kill, unless the step says that it may."""
    wanted = str(step.parameters["value"])
    if step.safety is Safety.SAFE and (used := _in_use(step, wanted, machine)) is not None:
        unit = step.parameters["unit"]
        raise StepError(f"{unit}: it holds {used} bytes, not less than the limit of {wanted}: it would be killed")
    _run(machine, "set-property", "--runtime", str(step.parameters["unit"]), f"{step.parameters['key']}={wanted}")


def _in_use(step: Step, limit: str, machine: Machine) -> int | None:
    """What the unit holds, where that is not less than a limit of memory: cgroup v2 would kill, v1 refuse."""
    where = PurePosixPath(_kernel_file(step, _shown(step, machine), machine) or "/")
    if where.name not in _IN_USE or not limit.isdecimal():
        return None
    usage = machine.tree.text(str(where.with_name(_IN_USE[where.name]))) or ""
    return int(usage) if usage.isdecimal() and int(usage) >= int(limit) else None


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
    where = _kernel_file(step, _shown(step, machine), machine)
    if where is None:
        return
    # With systemd 257 a daemon-reload does not reach the kernel (with 252 it does); and that may have had a value by hand.
    wanted = str(before["kernel"] or _as_kernel(where, str(before["value"])))
    if not unit_property.same(wanted, machine.tree.text(where) or ""):
        write_value(machine.place(where), wanted)


def _as_kernel(where: str, value: str) -> str:
    """systemd's value as a cgroup's file takes it."""
    unlimited = "max" if not where.startswith("/sys/fs/cgroup/memory/") else "-1"
    return value if value.isdecimal() and not unit_property.same(value, "infinity") else unlimited


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


def obstacle(step: Step, before: Json, machine: Machine) -> Text | None:
    """What the unit holds by now may be more than the limit of before, even if it did not run then: it would be killed."""
    for limit in (before["kernel"], before["value"]):
        used = None if limit is None else _in_use(step, str(limit), machine)
        if used is not None:
            return Text(
                message("{unit} holds {usage_bytes}, not less than its old limit of {limit_bytes}: it would be killed; stop it first"),
                {"unit": str(step.parameters["unit"]), "usage_bytes": used, "limit_bytes": int(str(limit))},
            )  # fmt: skip
    return None


DOER = Doer(unit_property.NAME, observe, do, undo, torn, same, obstacle)
