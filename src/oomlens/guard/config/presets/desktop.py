"""A machine that somebody sits at: it must answer, and whoever sits there is told."""

from __future__ import annotations

from oomlens.guard.config.presets.shape import Preset
from oomlens.guard.config.presets.spared import DESKTOP, EVERYWHERE
from oomlens.i18n import message

PRESET = Preset(
    "desktop",
    message("a machine that somebody sits at: acts sooner when it stands still, and tells who sits there"),
    {
        # A pointer that stands still for two seconds is already a reason to press the power button.
        "harm": {
            "for": "2s",
            "cgroups": [
                "/user.slice/*/session.slice/*",
                "/user.slice/*/session-*.scope",
                "/user.slice/*/app.slice/app-*",
            ],
        },
        "thrash": {"for": "3s"},
        # An editor gets the time to save.
        "time": {"grace": "3s"},
        "notify": {"desktop": True},
        "protect": [*EVERYWHERE, *DESKTOP],
        # A browser draws a lost tab again; the browser's own process holds all of them.
        "prefer": [
            {"cmdline": "*--type=renderer*", "points": 200, "why": "a browser's tab"},
            {"cmdline": "*-contentproc*tab", "points": 200, "why": "a browser's tab"},
        ],
    },
)
