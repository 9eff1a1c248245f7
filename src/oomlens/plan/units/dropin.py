"""The steps that set something of a unit for good, and at once where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Check, Effect, FileFact, Step, Text
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
    """A line of a drop-in. live: what set-property takes; None where only a restart brings it. section: default the unit's own."""

    key: str
    value: str
    live: str | None = None
    section: str | None = None


def live_steps(facts: UnitFacts, settings: Sequence[Setting]) -> list[Step]:
    """set-property for what a running unit takes at once.

    They come before the drop-in: so they are the last to be put back, when that has gone.
    """
    return [_live(facts, setting) for setting in settings if setting.live is not None and _runs(facts)]


def _runs(facts: UnitFacts) -> bool:
    return facts.live and facts.usage is not None


def _live(facts: UnitFacts, setting: Setting) -> Step:
    assert facts.usage is not None
    assert setting.live is not None
    name = KERNEL_FILES.get(setting.key, ("", ""))[facts.usage.version == 1]
    middle = "" if facts.usage.version == 2 else "/memory"
    text = Text(
        message("{unit}: set {key} to {value}"), {"unit": facts.name, "key": setting.key, "value": setting.live}
    )
    return unit_property(
        facts.name,
        setting.key,
        setting.live,
        text,
        before=facts.shown.get(setting.key),
        cgroup_file=f"/sys/fs/cgroup{middle}{facts.usage.path}/{name}" if name else None,
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


def dropin_steps(facts: UnitFacts, dropin: Dropin, *, at_once: bool) -> list[Step]:
    """The drop-in, and a daemon-reload where systemd runs."""
    title = Text(message("{path}: keep it for good"), {"path": dropin.path})
    effect = Effect.NOW if at_once else Effect.RESTART
    content = dropin.text.encode("utf-8", "surrogateescape")
    steps = [edit_file(dropin.path, dropin.old, content, title, effect=effect)]
    if facts.live:
        told = Text(message("systemd reads its unit files again"))
        steps.append(run_program(RELOAD, told, target=facts.name, undo_argv=RELOAD))
    return steps


def checks_for(facts: UnitFacts, dropin: Dropin | None) -> tuple[Check, ...]:
    """What must hold before: root, and that systemd understands the drop-in (systemd-analyze(1) verify)."""
    checks = [Check("root", facts.name)]
    if dropin is not None:
        checks.append(Check("unit-verifies", facts.name, dropin.text))
    return tuple(checks)
