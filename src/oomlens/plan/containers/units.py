"""A quadlet's `.container` file, or a unit that runs the container, changed where it says the limit, and nowhere else.

A quadlet takes `Memory=` only from Podman 5.5 on, and one that does not know it refuses the whole file (podman issue 27305):
so what is new is written as `PodmanArgs=`, which all take; what stands there is changed where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomlens.i18n import message
from oomlens.model.container import Limits
from oomlens.model.plan import Effect, Safety, Step, Text
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.containers.facts import Recreators, UnitFile
from oomlens.plan.containers.flags import FlagsError, Word, bare, changed, flags_in, words_of
from oomlens.plan.containers.recreate import CREATED_ANEW, Kept, Place, for_a_person, option, run_options
from oomlens.plan.containers.unit_text import Setting, section_end, settings_of, value_of

_RUN = re.compile(rb"(?:^|/)(?:docker|podman)$")
_REASONS = {
    "variable": message("{path} takes the limit from a variable or a specifier"),
    "joined": message("{path} has the limit among joined short options"),
    "unknown": message("{path}: the command line cannot be understood"),
    "vendor": message("{path} belongs to a package: copy it to /etc first, or use a drop-in"),
    "section": message("{path} has no [Container] section"),
}


def quadlet(known: Recreators, place: Place) -> Kept:
    """The steps for a quadlet."""
    files = known.quadlet
    try:
        home, content = _quadlet_edit(files, place.wanted)
    except FlagsError as error:
        lines = (f"{files[0].path}: [Container]", f"PodmanArgs={' '.join(run_options(place.wanted))}")
        return for_a_person(place, files[0].path, lines, Text(_REASONS[error.code], {"path": files[0].path}))
    return _steps(known, home, content, place)


def unit(known: Recreators, image: str, place: Place) -> Kept:
    """The steps for a unit whose ExecStart runs the container."""
    files = known.units
    try:
        home, content = _unit_edit(files, image, place.wanted)
    except FlagsError as error:
        lines = (f"{files[0].path}: ExecStart= … run {' '.join(run_options(place.wanted))} …",)
        return for_a_person(place, files[0].path, lines, Text(_REASONS[error.code], {"path": files[0].path}))
    return _steps(known, home, content, place)


def _steps(known: Recreators, home: UnitFile, content: bytes, place: Place) -> Kept:
    title = CREATED_ANEW._replace(values={"container": place.container})
    if content == home.file.content:
        return Kept()
    if home.vendor:
        lines = (home.path, *run_options(place.wanted))
        return for_a_person(place, home.path, lines, Text(_REASONS["vendor"], {"path": home.path}))
    try:
        steps = [edit_file(home.path, home.file, content, title, effect=Effect.RECREATION)]
    except NotTextError:
        return for_a_person(place, home.path, run_options(place.wanted), Text(_REASONS["unknown"], {"path": home.path}))
    if known.systemctl:
        steps.append(reload_units(of_user=known.of_user))
    text = message("it is created anew when {unit} is restarted, which is not done now")
    return Kept(tuple(steps), (Text(text, {"unit": known.unit}),))


def reload_units(*, of_user: bool) -> Step:
    """systemd reads its files again (and quadlets are made into units)."""
    argv = ["systemctl", *(["--user"] if of_user else []), "daemon-reload"]
    title = Text(message("let systemd read its files again"))
    return run_program(argv, title, target="systemd", undo_argv=argv, safety=Safety.SAFE)


def _flag_values(wanted: Limits) -> dict[str, str]:
    found = {"memory": wanted.memory_bytes, "memsw": wanted.memsw_bytes}
    values = {key: option(value) for key, value in found.items() if value is not None}
    return {**values, "pids": str(wanted.pids)} if wanted.pids is not None else values


def _quadlet_edit(files: Sequence[UnitFile], wanted: Limits) -> tuple[UnitFile, bytes]:
    """The file to change, and its new text; the last one that says a limit is the one that counts. Raises FlagsError."""
    home = next((file for file in reversed(files) if _says(file)), files[0])
    content, values = home.file.content, _flag_values(wanted)
    for key, name in (("memory", "Memory"), ("pids", "PidsLimit")):
        own = _own(content, name)
        if own is not None and key in values:
            content = _replaced(content, own, values.pop(key))
    if not values:
        return home, content
    arguments = [one for one in settings_of(content) if one.section == "Container" and one.key == "PodmanArgs"]
    words: list[Word] = [word for one in arguments for word in words_of(content, one.start, one.end)]
    known = {key: value for key, value in values.items() if key in flags_in(words)}
    content = changed(content, words, 0, known)
    missing = {key: value for key, value in values.items() if key not in known}
    if _default_swap(wanted):
        missing.pop("memsw", None)
    return home, _added(content, missing) if missing else content


def _default_swap(wanted: Limits) -> bool:
    """Without a word of it, engines allow as much swap as memory."""
    return wanted.memory_bytes is not None and wanted.memsw_bytes == 2 * wanted.memory_bytes


def _added(content: bytes, missing: dict[str, str]) -> bytes:
    end = section_end(content, "Container")
    if end is None:
        raise FlagsError("section")
    names = {"memory": "--memory", "memsw": "--memory-swap", "pids": "--pids-limit"}
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    line = ("PodmanArgs=" + " ".join(f"{names[key]}={value}" for key, value in missing.items())).encode() + newline
    return content[:end] + (b"" if content[:end].endswith(b"\n") else newline) + line + content[end:]


def _says(file: UnitFile) -> bool:
    content = file.file.content
    arguments = [one for one in settings_of(content) if one.section == "Container" and one.key == "PodmanArgs"]
    words = [word for one in arguments for word in words_of(content, one.start, one.end)]
    return _own(content, "Memory") is not None or "memory" in flags_in(words)


def _own(content: bytes, name: str) -> Setting | None:
    found = [one for one in settings_of(content) if one.section == "Container" and one.key == name]
    return found[-1] if found else None


def _replaced(content: bytes, setting: Setting, value: str) -> bytes:
    now = value_of(content, setting)
    if "%" in now or "$" in now:
        raise FlagsError("variable")
    return content[: setting.start] + value.encode() + content[setting.end :]


def _unit_edit(files: Sequence[UnitFile], image: str, wanted: Limits) -> tuple[UnitFile, bytes]:
    """The last file that says ExecStart= runs; only options between `run` and the image are the engine's. Raises FlagsError."""
    for file in reversed(files):
        content = file.file.content
        starts = [one for one in settings_of(content) if one.section == "Service" and one.key == "ExecStart"]
        for setting in reversed(starts):
            words = words_of(content, setting.start, setting.end)
            run = _run_at(words)
            if run is None:
                continue
            options = _until_image(words[run + 1 :], image)
            values = _flag_values(wanted)
            if "memsw" in values and "memsw" not in flags_in(options) and _default_swap(wanted):
                del values["memsw"]
            return file, changed(content, options, words[run].end, values)
        if any(content[one.start : one.end].strip() for one in starts):
            break
    raise FlagsError("unknown")


def _run_at(words: Sequence[Word]) -> int | None:
    """Where `run` or `create` stands, after the engine's name."""
    engine = next((number for number, word in enumerate(words) if _RUN.search(bare(word.text).lstrip(b"-@:+!"))), None)
    if engine is None:
        return None
    return next((number for number in range(engine + 1, len(words)) if words[number].text in (b"run", b"create")), None)


def _until_image(words: Sequence[Word], image: str) -> Sequence[Word]:
    """What is behind the image is the program's own."""
    end = next((number for number, word in enumerate(words) if image and bare(word.text) == image.encode()), None)
    if end is None:
        raise FlagsError("unknown")
    return words[:end]
