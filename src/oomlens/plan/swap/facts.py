"""What is wanted of the swap, and what the machine is like. Sizes in bytes; None is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oomlens.model.plan import FileFact, Value

DEFAULT_PATH = "/swapfile"
KIND = "swap"
LINK = "link"  # of `SwapFacts.fstab_problem`: the table is a symbolic link
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SwapWish:
    """What a person asks for.

    size_bytes: of the new swap; None: from the RAM. shortage_bytes: what an incident lacked; the new swap is larger than that.
    grow, remove: name of a swap that is on. replace: with grow, one larger file instead of a second one.
    until_reboot: nothing is written that turns the swap on at boot.
    resident_limit_bytes: of a zram device, the RAM that it may take.
    """

    path: str = DEFAULT_PATH
    size_bytes: int | None = None
    shortage_bytes: int | None = None
    priority: int | None = None
    zram: bool = False
    resident_limit_bytes: int | None = None
    grow: str | None = None
    replace: bool = False
    remove: str | None = None
    until_reboot: bool = False
    fstab: str = "/etc/fstab"


@dataclass(frozen=True, slots=True)
class SwapNow:
    """A swap that is on. specs: all first fields of fstab that mean it, its name among them.

    size_bytes: what it holds, a page less than its file. file_bytes: size of its file.
    """

    name: str
    kind: str
    size_bytes: int
    used_bytes: int
    priority: int
    specs: frozenset[str] = frozenset()
    file_bytes: int | None = None

    @property
    def whole_bytes(self) -> int:
        """The size of its file; of a device what it holds."""
        return self.size_bytes if self.file_bytes is None else self.file_bytes

    @property
    def zram(self) -> bool:
        """Whether it is a compressed device in RAM."""
        return self.name.startswith("/dev/zram")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a swap file would be.

    file_system, source, mount_point: of the folder it is in (mountinfo); read_only: mounted so.
    present: "absent", "swap" (has a swap header), "file", "link", "folder", "other", or "unknown" (not readable).
    present_bytes, present_mode: of what is there.
    real_folder: the folder with all links followed. loose_folder: one of the folders above that others may write.
    own_subvolume: of btrfs: whether the folder is a subvolume that holds nothing else.
    """

    path: str
    folder_present: bool = True
    real_folder: str | None = None
    loose_folder: str | None = None
    file_system: str | None = None
    source: str = ""
    mount_point: str | None = None
    read_only: bool = False
    free_bytes: int | None = None
    total_bytes: int | None = None
    present: str = "absent"
    present_bytes: int | None = None
    present_mode: int | None = None
    own_subvolume: bool | None = None


class Unit(NamedTuple):
    """A .swap unit that somebody wrote (not one that systemd made of fstab). what: its What=."""

    name: str
    what: str


class ZramDevice(NamedTuple):
    """name: `zram0`. disk_bytes: 0 of one that is free. algorithms: what its kernel can, the chosen one first."""

    name: str
    disk_bytes: int
    algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZramFacts:
    """devices: None where the module is not loaded. generator: whether zram-generator is installed.

    generator_file: /etc/systemd/zram-generator.conf. generator_vendor: whether the distribution has one of its own.
    tools_file: /etc/default/zramswap of zram-tools is there.
    """

    devices: tuple[ZramDevice, ...] | None = None
    loadable: bool | None = None
    generator: bool = False
    generator_file: FileFact | None = None
    generator_vendor: bool = False
    tools_file: bool = False


@dataclass(frozen=True, slots=True)
class SwapFacts:
    """The machine.

    swaps: None where the kernel was built without swap. systemd: whether it runs as init.
    hibernation: what says that the machine is set up to hibernate, such as `resume=UUID=…`.
    alternatives: mount points of local file systems that can hold a swap file, the one with most room first.
    unswappable: memory cgroups with a limit that may not swap. keeps_swappiness: cgroups of version 1 that have their own.
    """

    live: bool = True
    ram_bytes: int | None = None
    available_bytes: int | None = None
    swaps: tuple[SwapNow, ...] | None = ()
    place: Place = field(default_factory=lambda: Place(DEFAULT_PATH))
    fstab: FileFact | None = None
    fstab_problem: str | None = None
    units: tuple[Unit, ...] = ()
    systemd: bool = False
    hibernation: tuple[str, ...] = ()
    swappiness: int | None = None
    zswap: bool | None = None
    unswappable: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    missing_programs: tuple[str, ...] = ()
    zram: ZramFacts = field(default_factory=ZramFacts)

    def swap(self, name: str) -> SwapNow | None:
        """The swap that is on under that name, or one of its other names."""
        return next((one for one in self.swaps or () if name == one.name or name in one.specs), None)
