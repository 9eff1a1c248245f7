"""edit-file, the other half."""

from __future__ import annotations

from pathlib import Path

from oomlens.apply.action import Doer, StepError
from oomlens.apply.machine import Machine
from oomlens.host.write.files import make_folders, remove_empty_folders, remove_file, remove_leftovers, replace_file
from oomlens.model.plan import Json, Step
from oomlens.plan.actions import edit_file


def observe(step: Step, machine: Machine) -> Json:
    """The file, and of one that is missing the folders above it that are missing too."""
    path = str(step.parameters["path"])
    fact = machine.file(path)
    if fact is not None:
        return edit_file.state_of(fact)
    parent, missing = machine.place(path).parent, 0
    while not parent.is_dir():
        parent, missing = parent.parent, missing + 1
    return {**edit_file.ABSENT, "missing_folders": missing}


def _place(step: Step, machine: Machine) -> Path:
    """The file itself, where its path is a link: the link stays."""
    place = machine.place(str(step.parameters["path"]))
    return place.resolve() if place.is_symlink() else place


def do(step: Step, before: Json, machine: Machine) -> None:
    """Replaces the file whole."""
    place = _place(step, machine)
    content = edit_file.content_of(before) or b""
    try:
        content = edit_file.edited(content, list(step.parameters["edits"]))
    except ValueError as error:
        raise StepError(f"{place}: {error}") from error
    if edit_file.sha256(content) != step.parameters["after_sha256"]:
        raise StepError(f"{place}: the edited text is not the one that was planned")
    make_folders(place.parent)
    remove_leftovers(place.parent)
    owner = (int(before["uid"]), int(before["gid"])) if before["present"] else None
    replace_file(place, content, mode=int(step.parameters["mode"]), owner=owner)


def undo(step: Step, before: Json, machine: Machine) -> None:
    """Puts the bytes, mode and owner back, or takes the file and the folders made for it away."""
    place = _place(step, machine)
    content = edit_file.content_of(before)
    if content is not None:
        remove_leftovers(place.parent)
        replace_file(place, content, mode=int(before["mode"]), owner=(int(before["uid"]), int(before["gid"])))
        return
    if place.parent.is_dir():
        remove_leftovers(place.parent)
        remove_file(place)
    remove_empty_folders([*place.parents][: int(before.get("missing_folders", 0))])


def torn(_step: Step, before: Json, now: Json) -> bool:
    """A replaced file is whole; only folders may have been made already."""
    return not before["present"] and not now["present"]


def same(before: Json, now: Json) -> bool:
    """Content, mode and owner; of a file that is not there, the folders that are not there either."""
    if not before["present"] or not now["present"]:
        return bool(before["present"] == now["present"] and before.get("missing_folders") == now.get("missing_folders"))
    return all(before[key] == now[key] for key in ("sha256", "mode", "uid", "gid"))


DOER = Doer(edit_file.NAME, observe, do, undo, torn, same)
