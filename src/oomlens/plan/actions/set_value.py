"""set-value: a small kernel file (/proc/sys, /proc/PID, a cgroup's) gets another value. State: the value; or gone."""

from __future__ import annotations

import shlex

from oomlens.model.plan import Effect, Json, Lasts, Safety, Step, Text
from oomlens.plan.actions.action import Action

NAME = "set-value"
_PAGE_BYTES = 65536  # the largest page size: cgroup limits are rounded down to whole pages


def set_value(
    path: str,
    before: str | None,
    value: str,
    title: Text,
    *,
    process: tuple[int, int] | None = None,
    safety: Safety = Safety.SAFE,
    lasts: Lasts = Lasts.REBOOT,
) -> Step:
    """The step that writes `value` to a kernel file.

    before: what it holds now; None: whatever it holds. process: pid and start time in clock ticks (field 22 of
    /proc/PID/stat), where the file is a process's, so that a later process with the same pid is left alone.
    """
    parameters: dict[str, Json] = {"path": path, "value": value}
    if process is not None:
        parameters["pid"], parameters["start_ticks"] = process
    seen = None if before is None else {"value": before.strip()}
    return Step(NAME, path, title, parameters, seen, safety, Effect.NOW, lasts)


def same(wanted: str, found: str) -> bool:
    """Whether a kernel file holds what was written; sizes may have been rounded down to pages, blanks are the kernel's."""
    if wanted.split() == found.split():
        return True
    if wanted.isdecimal() and found.isdecimal() and int(wanted) >= _PAGE_BYTES:
        return 0 <= int(wanted) - int(found) < _PAGE_BYTES
    return False


def reached(step: Step, state: Json) -> bool:
    """Whether the value is there; a process that is gone needs it no more."""
    return bool(state.get("gone")) or same(str(step.parameters["value"]), str(state["value"]))


def fits(step: Step, state: Json) -> bool:
    """Whether the value is the one that the planner saw."""
    return step.before is None or bool(state.get("gone")) or same(str(step.before["value"]), str(state["value"]))


def commands(step: Step, prefix: str) -> tuple[str, ...]:
    """One line."""
    return (_write(step, prefix, str(step.parameters["value"])),)


def undo_commands(step: Step, prefix: str) -> tuple[str, ...]:
    """One line; a comment where the value before is not known."""
    if step.before is None:
        return ()
    return (_write(step, prefix, str(step.before["value"])),)


def _write(step: Step, prefix: str, value: str) -> str:
    path = str(step.parameters["path"])
    if path.startswith("/proc/sys/") and not prefix:
        name = path.removeprefix("/proc/sys/").replace(".", "\0").replace("/", ".").replace("\0", "/")
        return f"sudo sysctl -w {shlex.quote(f'{name}={value}')}"
    return f"echo {shlex.quote(value)} | sudo tee {shlex.quote(prefix + path)}"


ACTION = Action(NAME, reached, fits, commands, undo_commands)
