"""Whether a swap file can be at a path; what a person wants to know of it before."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.plan import Refusal, Text
from oomlens.plan.swap.facts import KIND, Place, SwapFacts, Values
from oomlens.plan.swap.file_systems import holder_of


def refusal(code: str, target: str, text: str, values: Values, hint: Text | None = None) -> Refusal:
    """A refusal of this kind."""
    return Refusal(code, KIND, target, Text(text, values), hint)


def machine_problem(facts: SwapFacts) -> Refusal | None:
    """What no swap of any kind can be made without."""
    target = facts.place.path
    if not facts.live:
        text = message("Swap can only be added to the running machine, not to a tree below --root.")
        hint = Text(message("On that machine: oomlens plan swap"))
        return refusal("not-live", target, text, {}, hint)
    if facts.swaps is None:
        text = message("This kernel was built without swap: /proc/swaps is missing.")
        return refusal("no-swap-kernel", target, text, {}, Text(message("Limit or shrink what runs: oomlens status")))
    if facts.missing_programs:
        programs = ", ".join(facts.missing_programs)
        text = message("The program {program} is not installed.")
        hint = Text(message("Install the package util-linux: sudo apt-get install util-linux"))
        return refusal("program-missing", target, text, {"program": programs}, hint)
    return None


def place_problem(facts: SwapFacts) -> Refusal | None:
    """Why no swap file can be made (or turned on) at the path."""
    place = facts.place
    return _path_problem(place) or _file_system_problem(facts) or _present_problem(facts)


def _path_problem(place: Place) -> Refusal | None:
    path, folder = place.path, place.path.rpartition("/")[0] or "/"
    if not usable(path):
        text = message("{path} is no path for a swap file: it has to be absolute, plain UTF-8 and without `..`.")
        return refusal("path-unusable", path, text, {"path": path}, Text(message("Such as: --path /swapfile")))
    if not place.folder_present:
        text = message("The folder {folder} does not exist.")
        hint = Text(
            message("Make it first (sudo mkdir, or on btrfs: sudo btrfs subvolume create), or choose another --path.")
        )
        return refusal("folder-missing", path, text, {"folder": folder}, hint)
    if place.real_folder is not None and place.real_folder != folder:
        text = message("{folder} is a link to {real_folder}; a swap file is never made through a link.")
        hint = Text(
            message("Say where it really is: --path {path}"),
            {"path": f"{place.real_folder.rstrip('/')}/{path.rpartition('/')[2]}"},
        )
        return refusal("through-a-link", path, text, {"folder": folder, "real_folder": place.real_folder}, hint)
    if place.loose_folder is not None:
        text = message("Others than root may replace what is in {folder}, so a swap file would not be safe there.")
        hint = Text(message("Choose a folder of root's, such as: --path /swapfile"))
        return refusal("folder-not-ours", path, text, {"folder": place.loose_folder}, hint)
    return None


def usable(path: str) -> bool:
    """Whether a path can be written in fstab, /proc/swaps and a plan alike."""
    parts = path.split("/")
    plain = all(char.isprintable() or char in " \t" for char in path)
    return path.startswith("/") and plain and ".." not in parts and "." not in parts and "" not in parts[1:]


def _file_system_problem(facts: SwapFacts) -> Refusal | None:
    place = facts.place
    if place.file_system is None:
        return None  # not known: swapon will tell
    values: Values = {"path": place.path, "file_system": place.file_system}
    holder = holder_of(place.file_system, place.source)
    if holder.verdict == "no":
        return refusal("file-system", place.path, holder.why, values, _elsewhere(facts, holder.instead))
    if place.read_only:
        text = message("{path} is on a file system ({mount_point}) that is mounted read-only.")
        hint = _elsewhere(facts, message("Choose another disk with --path, or use compressed RAM: --zram."))
        return refusal("read-only", place.path, text, {**values, "mount_point": place.mount_point}, hint)
    return None


def _elsewhere(facts: SwapFacts, otherwise: str) -> Text:
    if facts.alternatives:
        path = facts.alternatives[0].rstrip("/") + "/swapfile"
        return Text(message("A local disk with room: --path {path}; or compressed RAM: --zram."), {"path": path})
    return Text(otherwise)


def _present_problem(facts: SwapFacts) -> Refusal | None:
    place = facts.place
    values: Values = {"path": place.path}
    if place.present == "link":
        text = message("{path} is a symbolic link; a swap file is never made through a link.")
        return refusal("is-a-link", place.path, text, values, Text(message("Say where it really is: --path.")))
    if place.present == "unknown":
        text = message("{path} exists, and what it is cannot be read.")
        return refusal(
            "unreadable", place.path, text, values, Text(message("Plan it as root: the same command with sudo."))
        )
    if place.present in ("file", "folder", "other"):
        text = message("{path} exists and is no swap file; it is left alone.")
        return refusal("exists", place.path, text, values, Text(message("Choose another name with --path.")))
    return None


def place_warnings(facts: SwapFacts) -> Iterator[Text]:
    """What is worth knowing of the path's file system."""
    place = facts.place
    if place.file_system == "btrfs" and place.own_subvolume is not True:
        folder = place.path.rpartition("/")[0] or "/"
        yield Text(
            message(
                "btrfs: while the swap is on, the subvolume of {folder} cannot be snapshotted (Text file busy), and after a"
                " snapshot the file cannot be turned on any more. Better in a subvolume of its own: sudo btrfs subvolume"
                " create /swap, then --path /swap/swapfile."
            ),
            {"folder": folder},
        )
    if place.file_system is not None and holder_of(place.file_system, place.source).verdict == "try":
        yield Text(
            message(
                "Whether the kernel takes a swap file on {file_system} is tried; if not, everything is taken back."
            ),
            {"file_system": place.file_system},
        )
    if place.present == "swap" and place.present_mode is not None and place.present_mode & 0o077:
        yield Text(
            message("{path} can be read by others, and with it what was in memory: sudo chmod 600 {path}"),
            {"path": place.path},
        )


def machine_warnings(facts: SwapFacts) -> Iterator[Text]:
    """What makes swap of no use, or of less, on this machine."""
    if facts.swappiness == 0:
        yield Text(
            message(
                "vm.swappiness is 0: memory cgroups are killed while swap is still free. Set it higher:"
                " oomlens plan sysctl vm.swappiness=10"
            )
        )
    if facts.unswappable:
        yield Text(
            message(
                "Memory cgroups with a limit that may not swap: {count}, such as {cgroup}. New swap changes nothing for them"
                " (memory.swap.max, or docker update --memory-swap)."
            ),
            {"count": len(facts.unswappable), "cgroup": facts.unswappable[0]},
        )
