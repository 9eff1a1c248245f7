"""A systemd unit of the machine below a root: its files in systemd's order, and what systemd and its cgroup say."""

from __future__ import annotations

from oomlens.host.read.reader import Reader
from oomlens.model.plan import FileFact
from oomlens.model.snapshot import CgroupUsage
from oomlens.plan.units.facts import Kept, UnitFacts

# systemd.unit(5), "System Unit Search Path": the first one wins.
_FOLDERS = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
_ROOT_SLICE = "-.slice"  # wherever systemd runs; it shows nothing of a template
_USER_FOLDERS = ("/etc/systemd/user", "/usr/lib/systemd/user")
_SHOWN = (
    "Id", "LoadState", "ActiveState", "SubState", "ControlGroup", "Transient", "FragmentPath", "MemoryCurrent", "MemoryPeak", "MemoryMax",
    "MemoryHigh", "MemorySwapMax", "MemoryMin", "MemoryLow", "OOMPolicy",
    "OOMScoreAdjust", "TasksMax", "TasksCurrent", "NRestarts", "Delegate", "Result",
)  # fmt: skip


def read_unit(reader: Reader, wanted: str) -> UnitFacts:
    """What is known of a unit, by its name or another of its names; never raises where there is none."""
    shown = _shown(reader, wanted)
    name = shown.get("Id") or _own_name(reader, wanted)
    fragment = _fragment(reader, name)
    usage = _usage(reader, name)
    above = _above(reader, usage) if usage is not None else ()
    return UnitFacts(
        name=name,
        fragment=fragment,
        dropins=_dropins(reader, name),
        shown=shown,
        transient=shown.get("Transient") == "yes" or (name.endswith(".scope") and fragment is None),
        user=fragment is None and shown.get("LoadState") != "loaded" and _is_users(reader, name, usage),
        masked=shown.get("LoadState") == "masked" or _masked(reader, name),
        live=bool(shown or _shown(reader, _ROOT_SLICE)),
        usage=usage,
        above=above,
        kept=tuple(_kept(reader, each) for each in above),
        stands_for=tuple(each for each in reader.snapshot.cgroups if _stands_for(name, each.path.rpartition("/")[2])),
        ram_bytes=reader.snapshot.host.meminfo.get("mem_total_bytes"),
    )


def _shown(reader: Reader, name: str) -> dict[str, str]:
    done = reader.program(["systemctl", "show", "--no-pager", f"--property={','.join(_SHOWN)}", "--", name])
    if done.returncode != 0:
        return {}
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {key: value for key, equals, value in pairs if equals}


def _file(reader: Reader, path: str) -> FileFact | None:
    try:
        return reader.tree.file(path)
    except OSError:
        return None  # masked (a link to /dev/null), or not ours to read


def _names(name: str) -> tuple[str, ...]:
    """The unit itself, and the template of an instance."""
    head, dot, suffix = name.rpartition(".")
    stem, at, _instance = head.partition("@")
    return (name, f"{stem}@{dot}{suffix}") if at else (name,)


def _own_name(reader: Reader, name: str) -> str:
    """What systemd calls it: a link in place of a unit file makes its name another one of the unit that it leads to."""
    for folder in _FOLDERS:
        place = reader.tree.place(folder) / name
        if place.is_symlink():
            to = place.readlink().name
            return to if to.rpartition(".")[2] == name.rpartition(".")[2] and to not in _names(name) else name
        if place.exists():
            break
    return name


def _masked(reader: Reader, name: str) -> bool:
    """A link to /dev/null, or an empty file, in the first folder that has one (systemctl(1), mask)."""
    for folder in _FOLDERS:
        place = reader.tree.place(folder) / name
        if place.is_symlink() or place.exists():
            return place.is_symlink() and str(place.readlink()) == "/dev/null"
    return False


def _fragment(reader: Reader, name: str) -> FileFact | None:
    found = (_file(reader, f"{folder}/{each}") for each in _names(name) for folder in _FOLDERS)
    return next((fact for fact in found if fact is not None), None)


def _dropin_folders(name: str) -> tuple[str, ...]:
    """`a-b.service.d`, `a-.service.d` for all dashes, `service.d`; the specific ones first."""
    head, _, suffix = name.rpartition(".")
    parts = head.split("-")
    prefixes = [f"{'-'.join(parts[:count])}-.{suffix}" for count in range(len(parts) - 1, 0, -1)]
    return tuple(f"{each}.d" for each in (*_names(name), *prefixes, suffix))


def _dropins(reader: Reader, name: str) -> tuple[FileFact, ...]:
    """Sorted by name over all folders; of one name the first folder's counts (systemd.unit(5))."""
    found: dict[str, FileFact | None] = {}
    for below in _dropin_folders(name):
        for folder in _FOLDERS:
            for each in reader.tree.names(f"{folder}/{below}"):
                if each.endswith(".conf") and each not in found:
                    found[each] = _file(reader, f"{folder}/{below}/{each}")
    return tuple(fact for _, fact in sorted(found.items()) if fact is not None)


def _usage(reader: Reader, name: str) -> CgroupUsage | None:
    """The cgroup whose last part is the unit: `/system.slice/a.service`, not what lies below it."""
    fitting = [usage for usage in reader.snapshot.cgroups if usage.path.rpartition("/")[2] == name]
    return min(fitting, key=lambda usage: usage.path.count("/"), default=None)


def _above(reader: Reader, usage: CgroupUsage) -> tuple[CgroupUsage, ...]:
    over = [each for each in reader.snapshot.cgroups if usage.path.startswith(each.path.rstrip("/") + "/")]
    return tuple(sorted(over, key=lambda each: len(each.path), reverse=True))


def _kept(reader: Reader, usage: CgroupUsage) -> Kept:
    values = []
    for name in ("memory.min", "memory.low"):
        told = reader.tree.text(f"/sys/fs/cgroup{usage.path}/{name}") or "0"
        values.append(int(told) if told.isdecimal() else 1 << 63)
    return Kept(usage.path, *values)


def _stands_for(name: str, unit: str) -> bool:
    """Whether a running unit is an instance of a template, or one of all whose names begin so."""
    head, dot, suffix = name.rpartition(".")
    if not head.endswith(("@", "-")) or len(head) < 2:
        return False
    return unit.startswith(head) and unit.endswith(dot + suffix) and len(unit) > len(name)


def _is_users(reader: Reader, name: str, usage: CgroupUsage | None) -> bool:
    if usage is not None:
        return usage.names.user_uid is not None and "/user@" in usage.path
    return any(_file(reader, f"{folder}/{name}") is not None for folder in _USER_FOLDERS)
