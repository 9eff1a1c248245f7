"""What is known of a systemd unit, and where our drop-in of it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oomlens.kernel.sizes import bytes_of
from oomlens.model.plan import FileFact
from oomlens.model.snapshot import CgroupUsage
from oomlens.plan.units.text import value_of

_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
SUFFIXES = (".service", ".slice", ".scope", ".socket", ".mount", ".swap")
_OWN = "50-oomlens.conf"


class Kept(NamedTuple):
    """memory.min and memory.low of a cgroup, in bytes; "max" is more than any size."""

    path: str
    min_bytes: int
    low_bytes: int


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit of the system's service manager.

    name: with its suffix. fragment: its unit file. dropins: in the order that systemd reads them, each name once.
    shown: what `systemctl show` prints, where systemd runs. transient: made by systemd-run or a login, has no file.
    user: it belongs to a user's service manager. masked: it may not be started (systemctl mask).
    live: systemd answers.
    usage: its memory cgroup; above: the cgroups over it, the nearest first; kept: of each of those, what MemoryMin and MemoryLow
    keep there. stands_for: cgroups of the units that run, of a template or of a name like `user-.slice`. ram_bytes: the machine's.
    """

    name: str
    fragment: FileFact | None = None
    dropins: tuple[FileFact, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)
    transient: bool = False
    user: bool = False
    masked: bool = False
    live: bool = False
    usage: CgroupUsage | None = None
    above: tuple[CgroupUsage, ...] = ()
    kept: tuple[Kept, ...] = ()
    stands_for: tuple[CgroupUsage, ...] = ()
    ram_bytes: int | None = None

    @property
    def section(self) -> str:
        """The section that resource control stands in: [Service], [Slice] …"""
        return self.name.rpartition(".")[2].capitalize()

    @property
    def known(self) -> bool:
        """Whether there is such a unit."""
        loaded = self.shown.get("LoadState") == "loaded"
        return self.fragment is not None or self.usage is not None or loaded or self.of_all

    @property
    def template(self) -> bool:
        """`getty@.service`: its instances are the units."""
        return "@." in self.name

    @property
    def of_all(self) -> bool:
        """`user-.slice`: no unit itself, but what its drop-ins say counts for every unit whose name begins so (systemd.unit(5))."""
        head = self.name.rpartition(".")[0]
        return head.endswith("-") and len(head) > 1

    @property
    def running(self) -> tuple[CgroupUsage, ...]:
        """Cgroups of all units that run and that a change of this one reaches."""
        return (self.usage, *self.stands_for) if self.usage is not None else self.stands_for

    @property
    def limit_bytes(self) -> int | None:
        """Its MemoryMax: the kernel's, systemd's, or that of its files where it does not run; None: it has none."""
        if self.usage is not None:
            return self.usage.max_bytes
        # MemoryLimit is what MemoryMax was called for cgroup v1; where both stand, MemoryMax counts.
        said = (value_of(self.contents, self.section, key) for key in ("MemoryMax", "MemoryLimit"))
        shown = self.shown.get("MemoryMax") or next((value for value in said if value is not None), "")
        return int(shown) if shown.isdecimal() and int(shown) < 1 << 63 else bytes_of(shown)

    @property
    def kills(self) -> int:
        """How often the kernel killed in it since it was started; one where that is why it does not run."""
        killed = self.usage.events.get("oom_kill", 0) if self.usage is not None else 0
        return max(killed, int(self.shown.get("Result") == "oom-kill"))

    @property
    def peak_bytes(self) -> int | None:
        """The most that it used since it was started."""
        return (self.usage.peak_bytes or self.usage.current_bytes) if self.usage is not None else None

    @property
    def contents(self) -> tuple[str, ...]:
        """The texts of the fragment and the drop-ins."""
        files = (*((self.fragment,) if self.fragment is not None else ()), *self.dropins)
        return tuple(each.content.decode("utf-8", "surrogateescape") for each in files)


def full_name(name: str) -> str | None:
    """`nginx` -> `nginx.service`; None where it cannot be a unit's name."""
    if not _NAME.fullmatch(name) or name.startswith("."):
        return None
    return name if name.endswith(SUFFIXES) else f"{name}.service"


def folder_of(name: str) -> str:
    """The administrator's folder of drop-ins."""
    return f"/etc/systemd/system/{name}.d"


def own_dropin(facts: UnitFacts) -> tuple[str, FileFact | None]:
    """Our drop-in: the one that is there, else a name that is read after all others; and its content now."""
    folder = folder_of(facts.name)
    own = [each for each in facts.dropins if each.path.startswith(f"{folder}/") and each.path.endswith("oomlens.conf")]
    names = [each.path.rpartition("/")[2] for each in facts.dropins if each not in own]
    last = max(names, default="")
    if own:
        kept = own[-1]
        if kept.path.rpartition("/")[2] > last:
            return kept.path, kept
    if last < _OWN:
        return f"{folder}/{_OWN}", None
    late = "zz-oomlens.conf" if last < "zz-oomlens.conf" else f"{last.removesuffix('.conf')}z-oomlens.conf"
    return f"{folder}/{late}", None
