"""Writes and removes the recorder's systemd unit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oomlens.host import service_files
from oomlens.host.run import Output, run_program
from oomlens.host.service_units import Program, Run
from oomlens.record import unit


def planned_unit(program: Program, root: Path, folder: str, writable: Sequence[str] = ()) -> str:
    """The unit's text as it would be installed. Raises InstallError, UnitError."""
    made = service_files.folders_to_make(unit.UNIT, root)
    return unit.unit_text(program, folder=folder, made=made, writable=writable)


def install(text: str, root: Path, run: Run = run_program) -> list[Output]:
    """As `service_files.install`."""
    return service_files.install(unit.UNIT, text, root, run)


def uninstall(root: Path, run: Run = run_program) -> list[Output]:
    """As `service_files.uninstall`."""
    return service_files.uninstall(unit.UNIT, root, run)
