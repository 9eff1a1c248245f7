"""A container and its engine. Sizes are bytes; a limit that is not there is UNLIMITED (-1).

Sources: the Docker Engine API (ContainerInspect, ContainerStats, SystemInfo), which Podman's socket speaks too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

UNLIMITED = -1
# What cgroup v1 itself shows where nothing is set (PAGE_COUNTER_MAX of 4 KiB pages): Docker takes it where it takes no "none".
LARGEST_BYTES = (1 << 63) - 4096
# Anything above is no limit at all, however an engine or a kernel spells it.
_NO_LIMIT_FROM = 1 << 60
# Docker and Podman refuse less.
LEAST_BYTES = 6 << 20


class EngineKind(StrEnum):
    """Whose socket it is."""

    DOCKER = "docker"
    PODMAN = "podman"


@dataclass(frozen=True, slots=True)
class EngineFact:
    """The engine behind a socket.

    host: as `docker --host` takes it. cgroup_version: 1 or 2. limits_memory, limits_swap: whether the kernel lets it.
    stores_updates: whether `inspect` shows what was updated, and a restart keeps it (Docker; Podman from 5.1 on).
    """

    kind: EngineKind
    host: str
    version: str = ""
    cgroup_version: int | None = None
    limits_memory: bool | None = None
    limits_swap: bool | None = None
    rootless: bool = False
    ram_bytes: int | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version's first two numbers; nothing where it has none."""
        parts = self.version.split(".")[:2]
        return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()

    @property
    def stores_updates(self) -> bool:
        """Podman before 5.1 changes the cgroup and forgets it (podman pull 22322)."""
        return self.kind is EngineKind.DOCKER or self.numbers >= (5, 1)

    @property
    def updates(self) -> bool:
        """Podman has it since 4.3."""
        return self.kind is EngineKind.DOCKER or self.numbers >= (4, 3)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is set: each UNLIMITED (-1), a number, or None where it is not known. memsw: memory and swap together."""

    memory_bytes: int | None = None
    memsw_bytes: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill of the kernel in the container, as a log tells. at_its_limit: whether it was the container's own limit that was hit."""

    report_id: str
    victim: str | None
    limit_bytes: int | None
    at_its_limit: bool


@dataclass(frozen=True, slots=True)
class ContainerFact:
    """A container.

    limits: as the engine says. kernel_limits: as its cgroup says, None where it has none now or it cannot be seen.
    usage_bytes: without file cache that is not in use (`usage - inactive_file`, as `docker stats` shows it); swap_bytes: beside it.
    kills: `oom_kill` of its cgroup, since it was started. oom_events: that the engine remembers.
    reports: kills in logs, None where none could be read. outer_limit_bytes: the tightest of the cgroups above it, and whose it is.
    outer_container: id of the container that its engine runs in (Docker in Docker).
    """

    id: str
    name: str
    image: str = ""
    running: bool = False
    limits: Limits = Limits()
    kernel_limits: Limits | None = None
    reservation_bytes: int | None = None
    oom_kill_disabled: bool = False
    oom_killed: bool | None = None
    exit_code: int | None = None
    restart_count: int | None = None
    restart_policy: str = ""
    swappiness: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    usage_bytes: int | None = None
    swap_bytes: int | None = None
    peak_bytes: int | None = None
    kills: int | None = None
    oom_events: int | None = None
    reports: tuple[Kill, ...] | None = None
    cgroup: str | None = None
    outer_limit_bytes: int | None = None
    outer_path: str | None = None
    outer_container: str | None = None


def limit_of(value: int | None) -> int | None:
    """A limit as an engine or a kernel gives it -> UNLIMITED or bytes."""
    if value is None:
        return None
    return UNLIMITED if value <= 0 or value >= _NO_LIMIT_FROM else value
