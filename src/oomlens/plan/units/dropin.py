"""The steps that set something of a unit for good, and at once where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Check, Effect, FileFact, Safety, Step, Text
from oomlens.model.snapshot import CgroupUsage
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.actions.unit_property import unit_property
from oomlens.plan.units.facts import UnitFacts, own_dropin
from oomlens.plan.units.text import with_setting

RELOAD = ("systemctl", "daemon-reload")
# Where the kernel keeps a setting, in cgroup v2 and v1; "" has none.
KERNEL_FILES = {
    "MemoryMax": ("memory.max", "memory.limit_in_bytes"),
    "MemoryHigh": ("memory.high", ""),
    "MemorySwapMax": ("memory.swap.max", ""),
    "MemoryMin": ("memory.min", ""),
    "MemoryLow": ("memory.low", ""),
    "TasksMax": ("pids.max", ""),
}


class Setting(NamedTuple):
    """A line of a drop-in. live: what set-property takes; None where it does not. section: default the unit's own."""

    key: str
    value: str
    live: str | None = None
    section: str | None = None


def live_steps(facts: UnitFacts, settings: Sequence[Setting], safety: Safety = Safety.SAFE) -> list[Step]:
    """set-property for what units take at once: the unit, or those that run of all that it stands for.

    Also where it does not run, for it may by the time that this is taken back. They come before the drop-in: so they are the
    last to be put back, when that has gone.
    """
    if not facts.live:
        return []
    units: list[tuple[str, CgroupUsage | None]] = [(_unit_of(each), each) for each in facts.stands_for]
    if facts.usage is not None or facts.shown.get("LoadState") == "loaded":
        units.append((facts.name, facts.usage))
    return [
        _live(facts, unit, usage, setting, setting.live, safety)
        for unit, usage in units
        for setting in settings
        if setting.live is not None
    ]


def _unit_of(usage: CgroupUsage) -> str:
    return usage.path.rpartition("/")[2]


def _live(facts: UnitFacts, unit: str, usage: CgroupUsage | None, setting: Setting, value: str, safety: Safety) -> Step:
    names = KERNEL_FILES.get(setting.key, ())
    now = None
    if usage is not None and names and names[usage.version == 1]:
        now = f"/sys/fs/cgroup{'' if usage.version == 2 else '/memory'}{usage.path}/{names[usage.version == 1]}"
    text = Text(message("{unit}: set {key} to {value}"), {"unit": unit, "key": setting.key, "value": value})
    before = facts.shown.get(setting.key) if unit == facts.name else None
    return unit_property(
        unit, setting.key, value, text, before=before, kernel_files=names, cgroup_file=now, safety=safety
    )


class Dropin(NamedTuple):
    """Our drop-in of a unit: where it is, what it is now, and its text afterwards."""

    path: str
    old: FileFact | None
    text: str


def dropin_with(facts: UnitFacts, settings: Sequence[Setting]) -> Dropin:
    """With those settings."""
    path, old = own_dropin(facts)
    text = None if old is None else old.content.decode("utf-8", "surrogateescape")
    for setting in settings:
        text = with_setting(text, setting.section or facts.section, setting.key, setting.value)
    return Dropin(path, old, text or "")


def dropin_steps(facts: UnitFacts, dropin: Dropin, *, at_once: bool, safety: Safety = Safety.SAFE) -> list[Step]:
    """The drop-in, and a daemon-reload where systemd runs: limits of a unit that runs are then what the files say."""
    title = Text(message("{path}: keep it for good"), {"path": dropin.path})
    effect = Effect.NOW if at_once else Effect.RESTART
    content = dropin.text.encode("utf-8", "surrogateescape")
    steps = [edit_file(dropin.path, dropin.old, content, title, effect=effect, safety=safety)]
    if facts.live:
        told = Text(message("systemd reads its unit files again"))
        steps.append(run_program(RELOAD, told, target=facts.name, undo_argv=RELOAD, safety=safety))
    return steps


def checks_for(facts: UnitFacts, dropin: Dropin | None) -> tuple[Check, ...]:
    """What must hold before: root, and that systemd understands the drop-in (systemd-analyze(1) verify)."""
    checks = [Check("root", facts.name)]
    if dropin is not None:
        checks.append(Check("unit-verifies", facts.name, dropin.text))
    return tuple(checks)
