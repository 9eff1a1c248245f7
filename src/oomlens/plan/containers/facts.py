"""What a plan for a container is made of: the wish, the container, the rest of the host, and the files that create it anew."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.model.container import ContainerFact, EngineFact
from oomlens.model.plan import FileFact
from oomlens.model.yaml_text import YamlText


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
    systemctl: whether systemd can be told that a file changed; of_user: the systemd of the user who runs this.
    """

    compose: tuple[ComposeFile, ...] = ()
    quadlet: tuple[UnitFile, ...] = ()
    units: tuple[UnitFile, ...] = ()
    unit: str | None = None
    systemctl: bool = False
    of_user: bool = False


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
