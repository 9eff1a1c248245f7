"""A container, its engine, and the files that create it anew, as a planner sees them. Sizes are bytes; UNLIMITED is -1.

Sources: the Docker Engine API (ContainerInspect, ContainerStats, SystemInfo), which Podman's socket speaks too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from oomlens.model.plan import FileFact
from oomlens.model.yaml_text import YamlText

UNLIMITED = -1
# What the kernel itself shows where nothing is set (PAGE_COUNTER_MAX of 4 KiB pages): Docker takes it where it takes no "none".
LARGEST_BYTES = (1 << 63) - 4096
# Anything above is no limit at all, as engines and kernels spell it.
_NO_LIMIT_FROM = 1 << 62
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


@dataclass(frozen=True, slots=True)
class Others:
    """What else is on the host. held_bytes: not to be had back from all others; promised_bytes: reservations of other containers."""

    held_bytes: int | None = None
    promised_bytes: int | None = None
    limits_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """One of the Compose files that a container was made of; file None where it is not there, or may not be read."""

    path: str
    file: FileFact | None = None
    yaml: YamlText | None = None


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A text of systemd's form: a quadlet's `.container`, a unit, a drop-in. vendor: a package's, not to be edited."""

    path: str
    file: FileFact
    vendor: bool = False


@dataclass(frozen=True, slots=True)
class Recreators:
    """What may create the container anew.

    quadlet, units: the file itself first, then its drop-ins in the order of systemd. unit: the unit's name.
    systemctl: whether systemd can be told that a file changed.
    """

    compose: tuple[ComposeFile, ...] = ()
    quadlet: tuple[UnitFile, ...] = ()
    units: tuple[UnitFile, ...] = ()
    unit: str | None = None
    systemctl: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for; None: to be sized, or left as it is."""

    name: str
    memory_bytes: int | None = None
    memsw_bytes: int | None = None
    pids: int | None = None
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a plan for a container is made of.

    container None with an engine: there is none of that name (`known`: those that are). engine None: `problem` says why (a code of
    `oomlens.host.read.container_engine`), `where` says where.
    raises: how often oomlens has raised this container's limit before, and it was not taken back.
    """

    engine: EngineFact | None = None
    container: ContainerFact | None = None
    problem: str | None = None
    where: str = ""
    known: tuple[str, ...] = ()
    others: Others = Others()
    recreators: Recreators = Recreators()
    raises: int = 0


def limit_of(value: int | None) -> int | None:
    """A limit as an engine or a kernel gives it -> UNLIMITED or bytes."""
    if value is None:
        return None
    return UNLIMITED if value <= 0 or value >= _NO_LIMIT_FROM else value
