"""Writes and removes the guard's systemd unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oomlens.guard.people import unit
from oomlens.host import service_files
from oomlens.host.run import Output, run_program
from oomlens.host.service_units import Program, Run


def needs_of(table: Mapping[str, Any]) -> unit.Needs:
    """What a checked table asks for beyond watching and ending."""
    argv = table["tell_argv"]
    hooks = any(step["do"] == "hook" for scope in table["scopes"] for step in scope["steps"])
    return unit.Needs(people="--desktop" in argv, network="--webhook" in argv, programs=hooks or "--exec" in argv)


def planned_unit(program: Program, restore: Sequence[str], root: Path, needs: unit.Needs) -> str:
    """The unit's text as it would be installed. Raises InstallError, UnitError."""
    return unit.unit_text(program, restore, made=service_files.folders_to_make(unit.UNIT, root), needs=needs)


def install(text: str, root: Path, run: Run = run_program) -> list[Output]:
    """As `service_files.install`."""
    return service_files.install(unit.UNIT, text, root, run)


def uninstall(root: Path, run: Run = run_program) -> list[Output]:
    """As `service_files.uninstall`."""
    return service_files.uninstall(unit.UNIT, root, run)
