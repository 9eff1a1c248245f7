"""swap-file, the other half. The header is mkswap's; whether a file will do is asked of the kernel, not of its version."""

from __future__ import annotations

import base64
import errno
import os
import stat
from pathlib import Path

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.apply.swapoff import swap_named
from oomlens.host.read.swap_header import header_of
from oomlens.host.run import Output
from oomlens.host.write.swap_files import (
    fill,
    new_file,
    partial_of,
    put_in_place,
    remove_regular,
    reserve,
    write_header,
)
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import swap_file

# What swapon(8) says of a file that it refuses for how it lies on the disk (EINVAL).
_UNFIT = ("Invalid argument", "holes")


def observe(step: Step, machine: Machine) -> Json:
    """What is at the path, links not followed; with the header, which is all of it that is anybody's."""
    place = _place(step, machine)
    leftover = os.path.lexists(partial_of(place))
    try:
        about = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {"present": False, "leftover": leftover}
    state: dict[str, Json] = {
        "present": True,
        "leftover": leftover,
        "swap": False,
        "size_bytes": about.st_size,
        "mode": stat.S_IMODE(about.st_mode),
        "uid": about.st_uid,
        "gid": about.st_gid,
    }
    header = header_of(place) if stat.S_ISREG(about.st_mode) else None
    if header is not None:
        state |= {"swap": True, "header_base64": base64.b64encode(header).decode("ascii")}
    return state


def do(step: Step, _before: Json, machine: Machine) -> None:
    """Makes it, or removes it."""
    place = _place(step, machine)
    _clear(step, place, machine)
    if step.parameters["present"]:
        if not os.path.lexists(place):
            _make(step, place, machine)
    else:
        _remove(step, place, machine)


def undo(step: Step, before: Json, machine: Machine) -> None:
    """Removes it, or makes it again with its header, mode and owner."""
    place = _place(step, machine)
    _clear(step, place, machine)
    if not before["present"]:
        _remove(step, place, machine)
    elif not os.path.lexists(place):
        _make(step, place, machine, before)


def _place(step: Step, machine: Machine) -> Path:
    place, root = machine.place(str(step.parameters["path"])), machine.tree.root
    if place.parent.resolve() != root.resolve() / place.parent.relative_to(root):
        raise StepError(f"{place}: a folder of its path is a link; it is not followed")
    return place


def _clear(step: Step, place: Path, machine: Machine) -> None:
    """Takes away what an interrupted run left; its trial may still be on."""
    partial = partial_of(place)
    name = str(step.parameters["path"]).removesuffix(place.name) + partial.name
    if swap_named(name, machine) is not None:
        _run(["swapoff", str(partial)], machine)
    remove_regular(partial)


def _remove(step: Step, place: Path, machine: Machine) -> None:
    path = str(step.parameters["path"])
    if swap_named(path, machine) is not None:
        raise StepError(f"{path}: it is on; sudo swapoff {path}, then again")
    remove_regular(place)


def _make(step: Step, place: Path, machine: Machine, old: Json = None) -> None:
    """Reserved blocks where the kernel takes them for swap, else written ones. old: what is restored."""
    size = int(step.parameters["size_bytes"])
    partial = partial_of(place)
    refused = ""
    for written in (False, True):
        try:
            done = _tried(partial, size, machine, old, written=written)
        except BaseException:
            _clear_quietly(step, place, machine)
            raise
        if done.returncode == 0:
            put_in_place(partial, place)
            return
        refused = done.stderr or done.stdout
        _clear(step, place, machine)
        if not any(word in refused for word in _UNFIT):
            break
    raise StepError(f"{place}: the kernel does not take it as swap: {refused}")


def _tried(partial: Path, size: int, machine: Machine, old: Json, *, written: bool) -> Output:
    """A finished file under its other name, and what swapon says of it."""
    descriptor = new_file(partial)
    try:
        machine.run(
            ["chattr", "+C", str(partial)]
        )  # btrfs: not copy-on-write, while it is empty; elsewhere it may fail
        _allocate(descriptor, size, partial, written=written)
        if old is not None:
            write_header(descriptor, base64.b64decode(old["header_base64"]))
        else:
            _run(["mkswap", str(partial)], machine)
        os.fsync(descriptor)
        done = machine.run(["swapon", str(partial)])
        if done.returncode == 0:
            _run(["swapoff", str(partial)], machine)
            if old is not None:
                os.fchown(descriptor, int(old["uid"]), int(old["gid"]))
                os.fchmod(descriptor, int(old["mode"]))
        return done
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, size: int, partial: Path, *, written: bool) -> None:
    try:
        if written:
            fill(descriptor, size)
            return
        try:
            reserve(descriptor, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            fill(descriptor, size)  # this file system cannot reserve
    except OSError as error:
        raise StepError(f"{partial}: {error.strerror} ({size} bytes)") from error


def _clear_quietly(step: Step, place: Path, machine: Machine) -> None:
    try:
        _clear(step, place, machine)
    except (OSError, StepError):
        return  # the first error tells; the next run clears it


def _run(argv: list[str], machine: Machine) -> None:
    done = machine.run(argv)
    if done.returncode != 0:
        raise StepError(f"{' '.join(argv)}: {done.stderr or done.stdout.strip() or f'exit status {done.returncode}'}")


def torn(_step: Step, before: Json, now: Json) -> bool:
    """It appears and goes as a whole; the leftover beside it is what is torn."""
    return bool(now["leftover"] or before["present"] != now["present"])


DOER = Doer(swap_file.NAME, observe, do, undo, torn)
