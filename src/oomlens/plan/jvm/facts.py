"""What is known of a JVM. None: not known; `gaps` says why."""

from __future__ import annotations

from dataclasses import dataclass, field

from oomlens.model.plan import Text
from oomlens.runtimes.jvm_flags import Flags
from oomlens.runtimes.jvm_heap import Heap, hotspot_heap, openj9_heap
from oomlens.runtimes.jvm_native import HeapUse, Native
from oomlens.runtimes.jvm_version import JvmVersion, reads_cgroups


@dataclass(frozen=True, slots=True)
class JvmFacts:
    """limit_bytes: the most that the process may take. limit_of: what sets it: a cgroup's path, "host" or "--limit".
    others_bytes: what other processes hold below the same limit; it is not in limit_bytes.

    seen_known, seen_bytes: whether the JVM itself told its container's limit, and that limit; None: it sees none.
    max_heap_bytes: what the JVM says its heap may grow to. unaccounted_bytes: anonymous memory that it does not know of.
    machine_bytes: the RAM of the machine. uptime_seconds: how long it had run when it was looked at.
    """

    target: str
    flags: Flags = field(default_factory=Flags)
    version: JvmVersion | None = None
    pid: int | None = None
    limit_bytes: int | None = None
    limit_of: str = ""
    others_bytes: int = 0
    cgroup: str | None = None
    cgroup_version: int | None = None
    machine_bytes: int | None = None
    seen_known: bool = False
    seen_bytes: int | None = None
    max_heap_bytes: int | None = None
    heap_use: HeapUse | None = None
    native: Native | None = None
    threads: int | None = None
    unaccounted_bytes: int | None = None
    uptime_seconds: float | None = None
    gaps: tuple[Text, ...] = ()

    @property
    def openj9(self) -> bool:
        """Whether it is Eclipse OpenJ9."""
        return self.version is not None and self.version.openj9

    @property
    def sees_limit(self) -> bool | None:
        """Whether the JVM takes the limit for its RAM; None: not known."""
        if self.limit_of in ("", "host"):
            return True
        if self.flags.is_on("UseContainerSupport") is False:
            return False
        if self.seen_known:
            return self.seen_bytes is not None
        if self.version is not None and self.cgroup_version is not None:
            return reads_cgroups(self.version, self.cgroup_version)
        return None

    @property
    def seen_ram_bytes(self) -> int | None:
        """The memory that the JVM's own rule starts from."""
        if self.sees_limit is False:
            return self.machine_bytes
        seen = self.seen_bytes if self.seen_known else self.limit_bytes
        known = [size for size in (seen, self.machine_bytes) if size is not None]
        return min(known, default=None)

    @property
    def heap(self) -> Heap | None:
        """What the heap may grow to: as the JVM says, else by its rule."""
        seen = self.seen_ram_bytes
        asked = self.flags.size("MaxHeapSize")
        if seen is None and not asked:
            return None if self.max_heap_bytes is None else Heap(self.max_heap_bytes, "jvm", 0)
        rule = (openj9_heap if self.openj9 else hotspot_heap)(seen or 0, self.flags)
        return rule if self.max_heap_bytes is None else rule._replace(max_bytes=self.max_heap_bytes)
