"""What must hold just before a plan is carried out; a row for each kind of `oomlens.model.plan.Check`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from oomlens.apply.machine import Machine
from oomlens.apply.swapoff import swapoff_problem
from oomlens.host.read.container_engine import Engine, EngineError
from oomlens.host.read.container_usage import in_use
from oomlens.host.run import find_program
from oomlens.i18n import message
from oomlens.model.plan import Check, Text

Row = Callable[[Check, Machine], Text | None]
# Bits of CapEff, include/uapi/linux/capability.h.
_CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}


def root(_check: Check, machine: Machine) -> Text | None:
    """Whether we are root; another tree needs only its files' permissions."""
    if os.geteuid() == 0 or not machine.tree.live:
        return None
    return Text(message("this needs root: run the same command with sudo"))


def capability(check: Check, machine: Machine) -> Text | None:
    """Whether this process has a capability (capabilities(7)); target: its name."""
    status = _text(machine, "/proc/self/status")
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), None)
    if line is None:
        return None  # not known: the step itself will tell
    if int(line.split()[1], 16) >> _CAPABILITIES[check.target] & 1:
        return None
    return Text(
        message("this needs the capability {capability}, which this process has not (in a container: --cap-add)"),
        {"capability": check.target},
    )


def program(check: Check, machine: Machine) -> Text | None:
    """Whether a program is installed; value: the package to name where it is not."""
    if not machine.tree.live or find_program(check.target) is not None:
        return None
    return Text(
        message("the program {program} is not installed; try: sudo apt-get install {package}"),
        {"program": check.target, "package": str(check.value or check.target)},
    )


def free_bytes(check: Check, machine: Machine) -> Text | None:
    """Whether the file system of a path has that many bytes free for us."""
    place = machine.place(check.target)
    while not place.exists():
        place = place.parent
    about = os.statvfs(place)
    free = about.f_bavail * about.f_frsize
    if free >= int(check.value):
        return None
    return Text(
        message("{path}: {free_bytes} are free on its disk, {wanted_bytes} are needed"),
        {"path": check.target, "free_bytes": free, "wanted_bytes": int(check.value)},
    )


def usage_below(check: Check, machine: Machine) -> Text | None:
    """Whether a counter of bytes (a cgroup's memory.current) is below a value now; one that is missing is no obstacle."""
    found = machine.tree.text(check.target)
    if found is None or not found.isdecimal() or int(found) < int(check.value):
        return None
    return Text(
        message("{path}: {usage_bytes} are in use, not less than the new limit of {limit_bytes}: it would be killed"),
        {"path": check.target, "usage_bytes": int(found), "limit_bytes": int(check.value)},
    )


def container_usage_below(check: Check, _machine: Machine) -> Text | None:
    """Whether a container holds less than a limit now; value: {host, name, limit_bytes}. One that does not run is no obstacle."""
    limit = int(check.value["limit_bytes"])
    try:
        with Engine(str(check.value["host"])) as engine:
            usage = in_use(engine, check.target)
    except EngineError as error:
        return Text(message("its engine does not answer: {why}"), {"why": str(error)})
    if usage is None or usage < limit:
        return None
    return Text(
        message("{container} holds {usage_bytes}, not less than the new limit of {limit_bytes}: it would be killed"),
        {"container": str(check.value["name"]), "usage_bytes": usage, "limit_bytes": limit},
    )


def absent(check: Check, machine: Machine) -> Text | None:
    """Whether nothing stands at a path."""
    place = machine.place(check.target)
    if not place.exists() and not place.is_symlink():
        return None
    return Text(message("{path} exists already"), {"path": check.target})


def ram_for_swapoff(check: Check, machine: Machine) -> Text | None:
    """Whether a swap can be turned off without killing; target: its name in /proc/swaps, with its blanks."""
    return swapoff_problem(check.target, machine)


def _text(machine: Machine, path: str) -> str:
    return machine.tree.text(path) or ""


def unit_verifies(check: Check, machine: Machine) -> Text | None:
    """Whether systemd-analyze understands a drop-in (value: its text); it prints what it does not, and exits with 0 all the same."""
    if not machine.tree.live or find_program("systemd-analyze") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="oomlens-") as folder:
        # Under a name of its own: systemd would look up what else it knows of the unit, and a template cannot be looked at.
        unit = Path(folder) / f"oomlens-check.{check.target.rpartition('.')[2]}"
        service = "[Service]\nExecStart=/bin/true\n" if unit.suffix == ".service" else ""
        unit.write_text(f"[Unit]\n{service}", encoding="utf-8")
        dropin = unit.with_name(f"{unit.name}.d") / "50-oomlens.conf"
        dropin.parent.mkdir()
        dropin.write_text(str(check.value), encoding="utf-8", errors="surrogateescape")
        told = machine.run(["systemd-analyze", "verify", "--man=no", str(unit)]).stderr
    wrong = [line.rpartition(f"{dropin}:")[2] for line in told.splitlines() if str(dropin) in line]
    if not wrong:
        return None
    return Text(
        message("systemd does not understand the drop-in of {unit}: {why}"),
        {"unit": check.target, "why": "; ".join(wrong)},
    )


ROWS: dict[str, Row] = {
    "absent": absent,
    "capability": capability,
    "container-usage-below": container_usage_below,
    "free-bytes": free_bytes,
    "program": program,
    "ram-for-swapoff": ram_for_swapoff,
    "root": root,
    "unit-verifies": unit_verifies,
    "usage-below": usage_below,
}


def problems_of(checks: Iterable[Check], machine: Machine) -> tuple[tuple[Check, Text], ...]:
    """What does not hold, and why. A check of a kind that is not known does not hold: the plan is of a newer oomlens."""
    found: list[tuple[Check, Text]] = []
    for check in checks:
        problem = ROWS.get(check.kind, _unknown)(check, machine)
        if problem is not None:
            found.append((check, problem))
    return tuple(found)


def _unknown(check: Check, _machine: Machine) -> Text:
    return Text(message("the plan asks for the check {kind}, which this version does not know"), {"kind": check.kind})
