"""What a planner of sysctls has to know of the machine. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from oomlens.host.read.mounts import mount_of, mounts_of
from oomlens.host.read.reader import Reader
from oomlens.model.plan import FileFact
from oomlens.plan.kinds.sysctl import SysctlFacts
from oomlens.plan.sysctl_files import FOLDERS, MAIN_FILE
from oomlens.plan.sysctl_traps import Machine
from oomlens.plan.sysctls import BY_KEY

_SYSTEMD = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_PROCPS = ("/etc/init.d/procps", "/etc/init.d/sysctl", "/etc/runit/core-services/08-sysctl.sh", "/etc/rc.d/rc.sysctl")


def read_sysctl_facts(reader: Reader) -> SysctlFacts:
    """The values of all known keys, and all files that set any at boot."""
    tree = reader.tree
    found: list[FileFact] = []
    unreadable: list[str] = []
    linked = False
    main_place = tree.place(MAIN_FILE)
    for folder in _folders(reader):
        for name in tree.names(folder):
            if not name.endswith(".conf"):
                continue
            path = f"{folder}/{name}"
            place = tree.place(path)
            linked = linked or (place.resolve() == main_place.resolve() and main_place.exists())
            if place.is_dir():
                continue
            found.append(_file(reader, path, unreadable))
    try:
        main = tree.file(MAIN_FILE)
    except OSError:
        main = None
        unreadable.append(MAIN_FILE)
    mount = mount_of("/proc/sys/vm", mounts_of(tree.text("/proc/self/mountinfo") or ""))
    return SysctlFacts(
        machine=_machine(reader),
        files=tuple(found),
        main=main,
        main_linked=linked,
        applier=_applier(reader),
        live=reader.live,
        read_only=mount is not None and mount.read_only,
        unreadable=tuple(unreadable),
    )


def _folders(reader: Reader) -> Iterable[str]:
    """Each folder once: /lib is a link to /usr/lib on most systems."""
    seen: set[str] = set()
    for folder in FOLDERS:
        real = str(reader.tree.place(folder).resolve())
        if real not in seen:
            seen.add(real)
            yield folder


def _file(reader: Reader, path: str, unreadable: list[str]) -> FileFact:
    """The file; a link to /dev/null (a mask) is an empty one, and so is one that may not be read."""
    try:
        return reader.tree.file(path) or FileFact(path, b"")
    except OSError:
        if not str(reader.tree.place(path).resolve()).endswith("/dev/null"):
            unreadable.append(path)
        return FileFact(path, b"")


def _applier(reader: Reader) -> str | None:
    """Who reads the files at boot. systemd's program may be there without systemd being init: the running one decides."""
    there = reader.tree.place
    systemd = any(there(path).exists() for path in _SYSTEMD)
    procps = any(there(path).exists() for path in _PROCPS)
    if systemd and (not procps or not reader.live or there("/run/systemd/system").is_dir()):
        return "systemd"
    return "procps" if procps else None


def _machine(reader: Reader) -> Machine:
    host = reader.snapshot.host
    meminfo = host.meminfo
    pages, size = meminfo.get("huge_pages_total"), meminfo.get("hugepagesize_bytes")
    own = [usage.path for usage in reader.snapshot.cgroups if usage.version == 1 and usage.path != "/" and usage.swappiness is not None]  # fmt: skip
    return Machine(
        ram_bytes=meminfo.get("mem_total_bytes"),
        available_bytes=meminfo.get("mem_available_bytes"),
        hugetlb_bytes=pages * size if pages is not None and size is not None else None,
        hugepage_bytes=size,
        swap_bytes=meminfo.get("swap_total_bytes"),
        zram=any(swap.name.startswith("/dev/zram") for swap in host.swaps or ()),
        committed_bytes=meminfo.get("committed_as_bytes"),
        own_swappiness=own[0] if own else None,
        values={key: reader.tree.text(f"/proc/sys/{key}") for key in BY_KEY},
    )
