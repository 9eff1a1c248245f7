"""The presets, one file each: what differs from the defaults of the field table (which are those of `server`), and why."""

from __future__ import annotations

from oomlens.guard.config.presets import container_host, desktop, kubernetes_node, server
from oomlens.guard.config.presets.shape import Preset

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in (server.PRESET, desktop.PRESET, container_host.PRESET, kubernetes_node.PRESET)
}
