"""Desktop notifications of the sessions that an event is about, without libraries: `notify-send`, else `busctl`.

Who is there is read from logind's files (/run/systemd/sessions; sd_login(3) reads the same), each is told over its own
session bus (/run/user/UID/bus) by a program that runs as that user and has nothing else of ours.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from oomlens.host.run import Identity, Output, find_program, run_bounded
from oomlens.render.guard_tell import Notification

# A machine with more people than that has other ways to tell them.
_MOST_PEOPLE = 16
_MOST_FILE_BYTES = 16 << 10
_SECONDS = 4.0
_BUS_NAME = "org.freedesktop.Notifications"
_SHOWN_MS = 15_000


class Person(NamedTuple):
    """Somebody with a session bus. bus: its socket."""

    uid: int
    gid: int
    home: str
    bus: Path


def people(victim_uid: int | None, root: Path = Path("/")) -> list[Person]:
    """Those to be told: whoever owns the victim, and whoever is at the machine; at most as many as there are seats for."""
    wanted = ([victim_uid] if victim_uid is not None else []) + sorted(_active(root))
    found = (person for uid in dict.fromkeys(wanted) if (person := _person(uid, root)) is not None)
    return [person for person, _ in zip(found, range(_MOST_PEOPLE), strict=False)]


def _active(root: Path) -> set[int]:
    try:
        places = [place for place in (root / "run/systemd/sessions").iterdir() if not place.name.endswith(".ref")]
    except OSError:
        return set()
    sessions = [dict(_assignments(place)) for place in places]
    return {
        int(session["UID"])
        for session in sessions
        if session.get("ACTIVE") == "1"
        and session.get("CLASS", "user") == "user"
        and session.get("UID", "").isdecimal()
    }


def _assignments(place: Path) -> Iterator[tuple[str, str]]:
    try:
        with place.open("rb") as file:
            content = file.read(_MOST_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return
    for line in content.splitlines():
        name, separator, value = line.partition("=")
        if separator:
            yield name, value.strip().strip('"')


def _person(uid: int, root: Path) -> Person | None:
    bus = root / f"run/user/{uid}/bus"
    try:
        about = bus.lstat()
        entry = pwd.getpwuid(uid)
    except (OSError, KeyError, OverflowError):
        return None
    if not stat.S_ISSOCK(about.st_mode) or about.st_uid != uid:
        return None
    return Person(uid, entry.pw_gid, entry.pw_dir, bus)


def notify(person: Person, told: Notification) -> str | None:
    """Shows a notification to one; returns what went wrong, or None."""
    arguments = _arguments(told)
    if arguments is None:
        return "neither notify-send nor busctl is installed"
    if os.geteuid() not in (0, person.uid):
        return f"user {person.uid}: only root may tell other users"
    done = run_bounded(
        arguments, environment=_environment(person), timeout_seconds=_SECONDS,
        identity=Identity(person.uid, person.gid) if os.geteuid() == 0 else None,
    )  # fmt: skip
    return None if done.returncode == 0 else f"user {person.uid}: {_first_line(done)}"


def _environment(person: Person) -> Mapping[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": person.home,
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(person.bus.parent),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={person.bus}",
    }


def _arguments(told: Notification) -> list[str] | None:
    # A body may have markup (Desktop Notifications specification): nothing in it is ours to mark.
    body = told.body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    sender = find_program("notify-send")
    if sender is not None:
        urgency = "critical" if told.urgent else "normal"
        shown = f"--expire-time={_SHOWN_MS}"
        return [
            sender,
            "--app-name=oomlens",
            f"--urgency={urgency}",
            "--icon=dialog-warning",
            shown,
            "--",
            told.title,
            body,
        ]
    caller = find_program("busctl")
    if caller is None:
        return None
    place = "/" + _BUS_NAME.replace(".", "/")
    # application, replaces, icon, title, body, no actions, one hint, milliseconds
    values = ["oomlens", "0", "dialog-warning", told.title, body, "0", "1", "urgency", "y", "2" if told.urgent else "1"]
    call = [_BUS_NAME, place, _BUS_NAME, "Notify", "susssasa{sv}i", *values, str(_SHOWN_MS)]
    return [caller, "--user", "--timeout=3", "call", "--", *call]


def _first_line(done: Output) -> str:
    return (done.stderr.splitlines() or [f"exit code {done.returncode}"])[0]
