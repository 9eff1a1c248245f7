"""A machine that serves: nobody sits at it, and nobody sees a notification."""

from __future__ import annotations

from oomlens.guard.config.presets.shape import Preset
from oomlens.guard.config.presets.spared import EVERYWHERE
from oomlens.i18n import message

PRESET = Preset(
    "server",
    message("a machine that serves: ends the process that grows, and warns half a minute before"),
    # All else is the field table's default.
    {"protect": EVERYWHERE},
)
