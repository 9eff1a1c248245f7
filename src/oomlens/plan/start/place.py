"""Where a program gets its options from, and the step that changes them there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Effect, FileFact, Refusal, Step, Text
from oomlens.model.yaml_text import YamlText
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.start import yaml_env
from oomlens.plan.start.variables import assignments, with_variable
from oomlens.plan.start.words import AmbiguousError, Words, rewritten_in_place
from oomlens.plan.yaml_edit import YamlEditError


@dataclass(frozen=True, slots=True)
class Setting:
    """What is to be set. variable: of the environment; change: its new value from the old one.

    words: options that may also stand on the command line, and are then changed there.
    beaten: the variable loses to options of the command line that could not be changed.
    """

    variable: str
    change: Callable[[str | None], str]
    words: Words | None = None
    beaten: bool = False


class FilePlace(NamedTuple):
    """An environment file or a start script."""

    file: FileFact


class YamlPlace(NamedTuple):
    """A container in a manifest or Compose file."""

    file: FileFact
    text: YamlText
    place: yaml_env.Place


class HandPlace(NamedTuple):
    """A person knows where it is started. how: "shell", "docker" or "kubernetes". name: of the program or container."""

    how: str
    name: str


Place = FilePlace | YamlPlace | HandPlace


def refused(kind: str, about: str, code: str, text: str, hint: Text | None = None, /, **values: str | int) -> Refusal:
    """A refusal in few words; values: those of its text."""
    return Refusal(code, kind, about, Text(text, values), hint)


def step_for(place: Place, setting: Setting, kind: str, target: str) -> Step | Refusal:
    """The step that sets it there; a refusal where that cannot be done without touching more."""
    if isinstance(place, HandPlace):
        return _hand(place, setting, target)
    path = place.file.path
    try:
        content = _in_yaml(place, setting) if isinstance(place, YamlPlace) else _in_file(place, setting)
        title = Text(message("{path}: set {variable}"), {"path": path, "variable": setting.variable})
        if content is None:
            return refused(
                kind, target, "on-command-line",
                message("The command line sets it, and {variable} would lose to that; {path} does not hold the option."),
                Text(message("Name the file in which the option stands: --in FILE")), variable=setting.variable, path=path,
            )  # fmt: skip
        return edit_file(path, place.file, content, title, effect=Effect.RESTART)
    except AmbiguousError as error:
        return refused(
            kind, target, "several-places",
            message("{path}: lines {lines} set it; which of them is meant is not known."),
            Text(message("Change the right line by hand to: {value}"), {"value": setting.change(None)}),
            path=path, lines=", ".join(map(str, error.lines)),
        )  # fmt: skip
    except (YamlEditError, NotTextError, ValueError) as error:
        return refused(
            kind, target, "not-editable", message("{path} cannot be changed in one place: {why}"),
            Text(message("Set it by hand: {value}"), {"value": f"{setting.variable}={setting.change(None)}"}),
            path=path, why=str(error),
        )  # fmt: skip


def _in_file(place: FilePlace, setting: Setting) -> bytes | None:
    text = place.file.content.decode("utf-8", "surrogateescape")
    if setting.words is not None and not assignments(text, setting.variable):
        changed = rewritten_in_place(text, setting.words)
        if changed is not None:
            return changed.encode("utf-8", "surrogateescape")
    if setting.beaten:
        return None
    return with_variable(text, setting.variable, setting.change).encode("utf-8", "surrogateescape")


def _in_yaml(place: YamlPlace, setting: Setting) -> bytes | None:
    if setting.beaten:
        return None
    return yaml_env.with_variable(place.text, place.place, setting.variable, setting.change)


def _hand(place: HandPlace, setting: Setting, target: str) -> Step:
    value = setting.change(None)
    name = shlex.quote(place.name)
    assigned = f"{setting.variable}={shlex.quote(value)}"
    commands: Iterable[str]
    if place.how == "docker":
        commands = (f"# recreate the container {name} with", f"docker run -e {assigned} …")
        undo = ("# recreate it without that variable",)
    elif place.how == "kubernetes":
        commands = (f"kubectl set env deployment/{name} {assigned}",)
        undo = (f"kubectl set env deployment/{name} {setting.variable}-",)
    else:
        commands = ("# where it is started, before the command", f"export {assigned}")
        undo = ("# take that line out again",)
    title = Text(message("set {variable} where {name} is started"), {"variable": setting.variable, "name": place.name})
    return by_hand(list(commands), title, target=target, undo=list(undo), effect=Effect.RESTART)
