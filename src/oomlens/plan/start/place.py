"""Where a program gets its options from, and the step that changes them there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Check, Effect, FileFact, Refusal, Safety, Step, Text
from oomlens.model.yaml_text import YamlText
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.containers.units import reload_units
from oomlens.plan.start import yaml_env
from oomlens.plan.start.unit_env import with_environment
from oomlens.plan.start.variables import with_variable
from oomlens.plan.start.words import AmbiguousError, Words, rewritten_in_place
from oomlens.plan.units.text import with_variable as with_new_variable
from oomlens.plan.yaml_edit import YamlEditError


@dataclass(frozen=True, slots=True)
class Setting:
    """What is to be set, as shown. variable: of the environment; change: its new value from the old one.

    words: options that may also stand on the command line, and are then changed there.
    beaten: the variable loses to options of the command line, which have to be changed where they stand.
    """

    shown: str
    variable: str
    change: Callable[[str | None], str]
    words: Words | None = None
    beaten: bool = False


class FilePlace(NamedTuple):
    """An environment file or a start script."""

    file: FileFact


class UnitPlace(NamedTuple):
    """A unit, drop-in or quadlet. file: None where it is to be made. given: the variable's value from a file that this one comes after."""

    path: str
    file: FileFact | None = None
    section: str = "Service"
    given: str | None = None


class YamlPlace(NamedTuple):
    """A container in a manifest or Compose file."""

    file: FileFact
    text: YamlText
    place: yaml_env.Place


class HandPlace(NamedTuple):
    """A person knows where it is started. how: "shell", "docker" or "kubernetes". name: of the program or container."""

    how: str
    name: str


Place = FilePlace | UnitPlace | YamlPlace | HandPlace


class Start(NamedTuple):
    """Where a program is started, and how anew. unit: of systemd; systemctl: whether that can be told here.

    again: what a person types where nothing here may do it. checks: what must hold before.
    """

    place: Place
    unit: str | None = None
    systemctl: bool = False
    again: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def refused(kind: str, about: str, code: str, text: str, hint: Text | None = None, /, **values: str | int) -> Refusal:
    """A refusal in few words; values: those of its text."""
    return Refusal(code, kind, about, Text(text, values), hint)


def steps_for(start: Start, setting: Setting, kind: str, target: str) -> tuple[Step, ...] | Refusal:
    """The change, then what makes it take effect; a refusal where it cannot be made without touching more."""
    step = _step(start.place, setting, kind, target)
    return step if isinstance(step, Refusal) else (step, *anew(start, target))


def anew(start: Start, target: str) -> Iterator[Step]:
    """Units are read again, which is safe; a restart has to be allowed."""
    if start.unit is not None and start.systemctl:
        if isinstance(start.place, UnitPlace):
            yield reload_units(of_user=False)
        restart = ["systemctl", "restart", start.unit]
        title = Text(message("restart {unit}"), {"unit": start.unit})
        yield run_program(restart, title, target=start.unit, undo_argv=restart, safety=Safety.DISRUPTIVE)
    elif start.again:
        title = Text(message("start {target} anew"), {"target": target})
        yield by_hand(list(start.again), title, target=target, undo=list(start.again))


def _step(place: Place, setting: Setting, kind: str, target: str) -> Step | Refusal:
    if isinstance(place, HandPlace):
        return _hand(place, setting, target)
    path = place.path if isinstance(place, UnitPlace) else place.file.path
    try:
        content = _changed(place, setting)
        title = Text(message("{path}: {setting}"), {"path": path, "setting": setting.shown})
        if content is None:
            text = message(
                "The command line sets it, and {variable} would lose to that; {path} does not hold the option."
            )
            hint = Text(message("Name the file in which the option stands: --in FILE"))
            return refused(kind, target, "on-command-line", text, hint, variable=setting.variable, path=path)
        return edit_file(path, place.file, content, title, effect=Effect.RESTART)
    except AmbiguousError as error:
        text = message("{path}: lines {lines} set it; which of them is meant is not known.")
        hint = Text(message("Change the right line by hand to: {value}"), {"value": setting.change(None)})
        return refused(kind, target, "several-places", text, hint, path=path, lines=", ".join(map(str, error.lines)))
    except (YamlEditError, NotTextError, ValueError) as error:
        text = message("{path} cannot be changed in one place: {why}")
        hint = Text(message("Set it by hand: {value}"), {"value": f"{setting.variable}={setting.change(None)}"})
        return refused(kind, target, "not-editable", text, hint, path=path, why=str(error))


def _changed(place: FilePlace | UnitPlace | YamlPlace, setting: Setting) -> bytes | None:
    """The new text; None where it would not take effect."""
    if isinstance(place, YamlPlace):
        if setting.beaten:
            return None
        return yaml_env.with_variable(place.text, place.place, setting.variable, setting.change)
    if isinstance(place, FilePlace):
        return _in_file(place.file, setting)
    content = place.file.content if place.file is not None else b""
    if setting.words is not None and setting.words.anchored_in(content.decode("utf-8", "surrogateescape")):
        assert place.file is not None
        return _in_file(place.file, setting)
    if setting.beaten:
        return None
    given = place.given
    if place.file is None:
        return with_new_variable(None, setting.variable, setting.change(given)).encode("utf-8", "surrogateescape")
    return with_environment(
        content, setting.variable, lambda old: setting.change(given if old is None else old), place.section
    )


def _in_file(file: FileFact, setting: Setting) -> bytes | None:
    text = file.content.decode("utf-8", "surrogateescape")
    changed = rewritten_in_place(text, setting.words) if setting.words is not None else None
    if changed is None:
        if setting.beaten:
            return None
        changed = with_variable(text, setting.variable, setting.change)
    return changed.encode("utf-8", "surrogateescape")


def _hand(place: HandPlace, setting: Setting, target: str) -> Step:
    value = setting.change(None)
    name, assigned = shlex.quote(place.name), f"{setting.variable}={shlex.quote(value)}"
    commands, undo = [], []
    if setting.words is not None and setting.words.anchors:
        # Options of the command line are changed there; a variable that wins over them is the second best way.
        was = " ".join(map(shlex.quote, sorted(setting.words.anchors)))
        commands += [f"# on its command line, in place of {was}", f"# {setting.shown}"]
        undo += [f"# on its command line, {was} again"]
    if not setting.beaten:
        commands += ["# or" for _ in commands[:1]]
        more, less = _by_variable(place.how, name, assigned, setting.variable)
        commands, undo = [*commands, *more], [*undo, *less]
    title = Text(message("where {name} is started: {setting}"), {"setting": setting.shown, "name": place.name})
    return by_hand(commands, title, target=target, undo=undo, effect=Effect.RESTART)


def _by_variable(how: str, name: str, assigned: str, variable: str) -> tuple[Sequence[str], Sequence[str]]:
    """The commands that set a variable, and those that take it back."""
    if how == "docker":
        return (f"# recreate the container {name} with", f"docker run -e {assigned} …"), (
            "# recreate it without that variable",
        )
    if how == "kubernetes":
        return (
            (f"kubectl set env deployment/{name} {assigned}",),
            (f"kubectl set env deployment/{name} {variable}-",),
        )
    return ("# where it is started, before the command", f"export {assigned}"), ("# take that line out again",)
