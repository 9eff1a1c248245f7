"""A runtime or server that can be fitted into a limit: what is known of it, and what a row answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oomlens.model.finding import Evidence
from oomlens.model.plan import FileFact, Refusal, Step, Text
from oomlens.plan.start.place import Setting

KIND = "runtime"
MIB = 1 << 20
# What rows look at in an environment.
VARIABLES = (
    "COMPlus_GCHeapHardLimit", "COMPlus_GCHeapHardLimitPercent", "DOTNET_GCHeapHardLimit", "DOTNET_GCHeapHardLimitPercent", "GOGC",
    "GOMEMLIMIT", "MALLOC_ARENA_MAX", "NODE_OPTIONS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuntimeWish:
    """size_bytes: a size of the person's own for what the row sets (heap, pool, maxmemory)."""

    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """limit_bytes: what the processes of this runtime below one limit may take together; limit_of, others_bytes: as of a JVM.

    peers: processes of this runtime below that limit, itself included. held_bytes: its anonymous memory and swap.
    cpus: of the host. arenas: heaps of glibc's malloc beside the first. allocator: "glibc", another, or None: not known.
    files: its configuration, in the order in which it reads them. figures: what it says of itself, by its own names.
    """

    runtime: str
    target: str
    pid: int | None = None
    limit_bytes: int | None = None
    limit_of: str = ""
    others_bytes: int = 0
    peers: int = 1
    held_bytes: int | None = None
    threads: int | None = None
    cpus: int | None = None
    arenas: int | None = None
    allocator: str | None = None
    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[FileFact, ...] = ()
    figures: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a row answers. setting: of the environment or command line, set where the program is started.

    steps: changes of configuration files, and commands for a person. needed_bytes: the limit for things as they are now.
    """

    title: Text
    setting: Setting | None = None
    steps: tuple[Step, ...] = ()
    why: tuple[Text, ...] = ()
    arithmetic: tuple[Evidence, ...] = ()
    warnings: tuple[Text, ...] = ()
    needed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """name: as `oomlens.runtimes.names` has it. remedy: id of the remedy."""

    name: str
    remedy: str
    choose: Callable[[RuntimeWish, RuntimeFacts, int], Change | Refusal]
