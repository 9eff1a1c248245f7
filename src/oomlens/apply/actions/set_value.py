"""set-value, the other half."""

from __future__ import annotations

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.write.files import write_value
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import set_value

GONE = {"gone": True}
_CGROUPS = "/sys/fs/cgroup/"


def observe(step: Step, machine: Machine) -> Json:
    """The value; gone where the process has ended, even if its pid is another's now, or the cgroup."""
    path = str(step.parameters["path"])
    if (
        "pid" in step.parameters
        and _start_ticks(int(step.parameters["pid"]), machine) != step.parameters["start_ticks"]
    ):
        return dict(GONE)
    try:
        fact = machine.file(path)
    except ProcessLookupError:
        fact = None
    if fact is None:
        if "pid" in step.parameters or (path.startswith(_CGROUPS) and not machine.place(path).parent.is_dir()):
            return dict(GONE)
        raise StepError(f"{path}: this kernel has no such file")
    return {"value": fact.content.decode("utf-8", "backslashreplace").strip()}


def _start_ticks(pid: int, machine: Machine) -> int | None:
    try:
        fact = machine.file(f"/proc/{pid}/stat")
    except OSError:
        return None
    if fact is None:
        return None
    cells = fact.content.rpartition(b")")[2].split()  # the name may hold blanks and brackets
    return int(cells[19]) if len(cells) > 19 else None


def do(step: Step, before: Json, machine: Machine) -> None:
    """Writes the value."""
    if not before.get("gone"):
        _write(step, str(step.parameters["value"]), machine)


def undo(step: Step, before: Json, machine: Machine) -> None:
    """Writes the value that was there."""
    if not before.get("gone") and not observe(step, machine).get("gone"):
        _write(step, str(before["value"]), machine)


def _write(step: Step, value: str, machine: Machine) -> None:
    path = str(step.parameters["path"])
    try:
        write_value(machine.place(path), value)
    except OSError as error:
        raise StepError(f"{path}: {value!r} refused: {error.strerror}") from error


def same(before: Json, now: Json) -> bool:
    """A process or cgroup that is gone has nothing left to restore."""
    return bool(now.get("gone")) or bool(before.get("gone")) or set_value.same(str(before["value"]), str(now["value"]))


DOER = Doer(set_value.NAME, observe, do, undo, same=same)
