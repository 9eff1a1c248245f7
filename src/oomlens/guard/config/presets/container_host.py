"""A host of containers (Docker, Podman, containerd): each container with a limit is watched by itself."""

from __future__ import annotations

from oomlens.guard.config.presets.shape import Preset
from oomlens.guard.config.presets.spared import CONTAINERS, EVERYWHERE
from oomlens.i18n import message

# In a container its own limit is meant to be approached: acting is only for the last of it, and a warning says so before.
_INSIDE = {
    "memory": {"warn": "10%, at most 512M", "term": "4%, at most 128M", "kill": "2%, at most 64M"},
    # A container's swap says nothing of the machine's.
    "swap": {"term": "100%", "kill": "100%"},
    "roads": ["exhaustion", "thrash"],
}

PRESET = Preset(
    "container-host",
    message("a host of containers: watches the machine, and each container against its own limit"),
    {
        "harm": {
            "cgroups": ["/system.slice/*.service", "/system.slice/docker-*.scope", "/machine.slice/libpod-*.scope"]
        },
        "protect": [*EVERYWHERE, *CONTAINERS],
        # Scopes without a limit of their own are never low by themselves.
        "scope": [
            {"name": "docker", "cgroup": "/*docker-[0-9a-f]*.scope", **_INSIDE},
            {"name": "docker (cgroupfs)", "cgroup": "/docker/[0-9a-f]*", **_INSIDE},
            {"name": "podman", "cgroup": "/*libpod-[0-9a-f]*", **_INSIDE},
            {"name": "containerd", "cgroup": "/*nerdctl-[0-9a-f]*.scope", **_INSIDE},
        ],
    },
)
