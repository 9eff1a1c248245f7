"""The doing halves of all actions, by the names of `oomlens.plan.actions`. by-hand has none: a person does it."""

from __future__ import annotations

from oomlens.apply.action import Doer
from oomlens.apply.actions import (
    container_update,
    edit_file,
    kubernetes_apply,
    kubernetes_resize,
    run_program,
    set_value,
    swap_active,
    swap_file,
    unit_property,
    zram_device,
)

DOERS: tuple[Doer, ...] = (
    container_update.DOER,
    edit_file.DOER,
    kubernetes_apply.DOER,
    kubernetes_resize.DOER,
    run_program.DOER,
    set_value.DOER,
    swap_active.DOER,
    swap_file.DOER,
    unit_property.DOER,
    zram_device.DOER,
)
BY_NAME = {doer.name: doer for doer in DOERS}
