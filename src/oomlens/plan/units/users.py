"""A unit of a user's service manager: that user changes it, by commands that are only shown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from oomlens.model.plan import Effect, Step, Text
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.units.dropin import Setting
from oomlens.plan.units.text import with_setting

_OWN = "50-oomlens.conf"


def users_step(unit: str, settings: Sequence[Setting], title: Text, *, restart: bool) -> Step:
    """A drop-in in the user's own folder, and set-property for now (systemd.unit(5), "User Unit Search Path")."""
    text: str | None = None
    for setting in settings:
        text = with_setting(text, setting.section or unit.rpartition(".")[2].capitalize(), setting.key, setting.value)
    name = shlex.quote(unit)
    place = f"~/.config/systemd/user/{shlex.quote(f'{unit}.d')}/{_OWN}"
    live = [f"{setting.key}={setting.live}" for setting in settings if setting.live is not None]
    runtime = '"$XDG_RUNTIME_DIR"/systemd/user.control/' + shlex.quote(f"{unit}.d")
    gone = [f"{runtime}/50-{setting.key}.conf" for setting in settings if setting.live is not None]
    again = [f"systemctl --user restart {name}"] if restart else []
    reload = "systemctl --user daemon-reload"
    return by_hand(
        [
            f"install -D -m 0644 /dev/stdin {place} <<'EOF'",
            *(text or "").removesuffix("\n").split("\n"),
            "EOF",
            reload,
            *([f"systemctl --user set-property --runtime {name} {' '.join(live)}"] if live else []),
            *again,
        ],
        title,
        target=unit,
        undo=[f"rm {' '.join([place, *gone])}", reload, *again],
        effect=Effect.RESTART if restart else Effect.NOW,
    )
