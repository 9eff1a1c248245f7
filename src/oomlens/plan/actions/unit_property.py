"""unit-property: systemd changes a resource limit of a running unit (systemctl set-property --runtime).

State: the value that systemd shows, the runtime drop-in that it writes for it, and what the cgroup's file holds.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "unit-property"
_UNLIMITED = ("infinity", "max", "18446744073709551615")
_V1_UNLIMITED = (1 << 63) - 65536  # memory.limit_in_bytes without a limit, in whole pages of any size


def unit_property(
    unit: str,
    key: str,
    value: str,
    title: Text,
    *,
    before: str | None,
    kernel_files: Sequence[str] = (),
    cgroup_file: str | None = None,
    safety: Safety = Safety.SAFE,
) -> Step:
    """The step that sets `key` of a unit that is loaded; it need not run.

    value: bytes or a count in digits, or "infinity". before: as `systemctl show` prints it now; None: not known.
    kernel_files: names of the cgroup's file that has it, in cgroup v2 and v1; what that holds is put back with the rest.
    cgroup_file: where that is now, for the commands that are shown.
    """
    parameters: dict[str, Json] = {
        "unit": unit,
        "key": key,
        "value": value,
        "kernel_files": list(kernel_files),
        "cgroup_file": cgroup_file,
    }
    seen = None if before is None else {"value": before}
    return Step(NAME, f"{unit} {key}", title, parameters, seen, safety, Effect.NOW, Lasts.REBOOT)


def runtime_file(step: Step) -> str:
    """The drop-in that set-property --runtime writes (systemctl(1))."""
    return f"/run/systemd/system.control/{step.parameters['unit']}.d/50-{step.parameters['key']}.conf"


def same(one: str, two: str) -> bool:
    """Whether two spellings are the same value; systemd rounds sizes down to pages."""
    if _unlimited(one) or _unlimited(two):
        return _unlimited(one) and _unlimited(two)
    if one.isdecimal() and two.isdecimal():
        return abs(int(one) - int(two)) < 65536 if int(one) >= 65536 else int(one) == int(two)
    return one == two


def _unlimited(value: str) -> bool:
    return value in _UNLIMITED or (value.isdecimal() and int(value) >= _V1_UNLIMITED)


def same_in_kernel(one: str | None, two: str | None) -> bool:
    """Whether two values of a cgroup's file are the same; the file of a unit that does not run is not there."""
    return one is None or two is None or same(one, two)


def reached(step: Step, state: Json) -> bool:
    """Whether systemd shows the value, and the kernel has it too."""
    wanted = str(step.parameters["value"])
    return same(wanted, str(state["value"])) and same_in_kernel(wanted, state["kernel"])


def fits(step: Step, state: Json) -> bool:
    """Whether systemd shows what it showed to the planner."""
    return step.before is None or same(str(step.before["value"]), str(state["value"]))


def commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """One line."""
    unit, assignment = shlex.quote(str(step.parameters["unit"])), f"{step.parameters['key']}={step.parameters['value']}"
    return (f"sudo systemctl set-property --runtime {unit} {shlex.quote(assignment)}",)


def undo_commands(step: Step, _prefix: str) -> tuple[str, ...]:
    """The runtime drop-in goes, and the value is set again that was there."""
    lines = [f"sudo rm -f {shlex.quote(runtime_file(step))}", "sudo systemctl daemon-reload"]
    where = step.parameters.get("cgroup_file")
    if where and step.before is not None:
        value = "max" if step.before["value"] in _UNLIMITED else str(step.before["value"])
        lines.append(f"echo {shlex.quote(value)} | sudo tee {shlex.quote(str(where))}")
    return tuple(lines)


ACTION = Action(NAME, reached, fits, commands, undo_commands)
