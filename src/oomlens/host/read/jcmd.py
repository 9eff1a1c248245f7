"""Asks a running JVM about itself, through jcmd. It opens a socket in the JVM and changes nothing that the program sees."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oomlens.host.read.process_traits import ProcessView
from oomlens.host.read.reader import Reader
from oomlens.host.run import NOT_FOUND, TIMED_OUT, Output
from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.model.snapshot import Process

_SECONDS = 10.0
_PROBLEM = 200  # letters of a foreign message


@dataclass(frozen=True, slots=True)
class Answers:
    """What jcmd printed, by command; gap: why it did not, or not all."""

    printed: dict[str, str]
    gap: Text | None = None


def ask(reader: Reader, process: Process, view: ProcessView, commands: Sequence[str]) -> Answers:
    """Runs the commands one after the other and stops at the first that gives no answer in time."""
    refused = _refused(reader, process, view)
    if refused is not None:
        return Answers({}, refused)
    printed: dict[str, str] = {}
    for command in commands:
        done = _run(reader, process, view, command)
        if done.returncode == NOT_FOUND:
            return Answers(
                printed,
                Text(message("jcmd is not installed here (it is in the JDK, not in the JRE): nothing was measured")),
            )
        if done.returncode == TIMED_OUT:
            return Answers(
                printed, Text(message("the JVM gave no answer within {limit_seconds}"), {"limit_seconds": _SECONDS})
            )
        if done.returncode != 0:
            if "Unknown diagnostic command" in done.stdout + done.stderr:
                continue  # another generation
            told = (done.stderr or done.stdout).strip().partition("\n")[0][:_PROBLEM]
            return Answers(printed, Text(message("jcmd could not ask the JVM: {problem}"), {"problem": told}))
        printed[command] = done.stdout
    return Answers(printed)


def _refused(reader: Reader, process: Process, view: ProcessView) -> Text | None:
    if process.state not in ("R", "S", "D", "I"):
        return Text(message("the JVM is stopped (state {state}) and cannot answer"), {"state": process.state})
    if not view.catches_quit():
        # jcmd sends SIGQUIT first; with -Xrs, or before the JVM is up, that would end the process.
        return Text(
            message("the JVM does not handle SIGQUIT (-Xrs, or just started): jcmd would end it, so it was not asked")
        )
    ids = view.ids()
    if reader.live and ids is not None and os.geteuid() not in (0, ids[0]):
        return Text(message("the JVM runs as uid {uid}: run as that user or as root to ask it"), {"uid": ids[0]})
    return None


def _run(reader: Reader, process: Process, view: ProcessView, command: str) -> Output:
    """As the process's own user where we are root, since old JVMs listen to nobody else; then as root."""
    jcmd = ["jcmd", str(process.pid), *command.split(" ")]
    ids = view.ids()
    done = Output(NOT_FOUND, "", "")
    for program in ("jcmd", _beside(view)):
        if program is None:
            continue
        jcmd[0] = program
        if reader.live and os.geteuid() == 0 and ids is not None and ids[0] != 0:
            to_user = ["setpriv", f"--reuid={ids[0]}", f"--regid={ids[1]}", "--clear-groups", "--reset-env", "--"]
            done = reader.program([*to_user, *jcmd], timeout_seconds=_SECONDS)
            if done.returncode in (0, TIMED_OUT):
                return done
        done = reader.program(jcmd, timeout_seconds=_SECONDS)
        if done.returncode != NOT_FOUND:
            return done
    return done


def _beside(view: ProcessView) -> str | None:
    """The jcmd of the process's own JDK, where it is root's and not in a container: else it would be a foreign program."""
    program = view.link("exe")
    if program is None or not view.same_mounts():
        return None
    place = Path(program).parent / "jcmd"
    try:
        about = place.stat()
        above = place.parent.stat()
    except OSError:
        return None
    safe = all(each.st_uid == 0 and not each.st_mode & (stat.S_IWGRP | stat.S_IWOTH) for each in (about, above))
    return str(place) if safe else None
