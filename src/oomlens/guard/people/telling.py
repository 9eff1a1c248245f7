"""Hands one event to people and programs, all at the same time, each with its own limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from oomlens.guard.people import desktop, webhook
from oomlens.host.run import run_bounded
from oomlens.i18n import Translate
from oomlens.model.guard_event import GuardEvent
from oomlens.render.guard_tell import notification
from oomlens.render.sanitize import visible

EXEC_SECONDS = 10.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Ways(NamedTuple):
    """How to tell. addresses: of webhooks, looked at. command: an argument vector, or nothing."""

    desktop: bool = False
    addresses: Sequence[str] = ()
    command: Sequence[str] = ()
    exec_seconds: float = EXEC_SECONDS
    root: Path = Path("/")


def tell(event: GuardEvent, line: bytes, ways: Ways, tr: Translate) -> list[str]:
    """Tells in all ways; returns what went wrong. line: the event as it came."""
    works: list[Callable[[], str | None]] = []
    if ways.desktop:
        told = notification(event, tr)
        uid = event.victim.uid if event.victim is not None else None
        works += [partial(desktop.notify, person, told) for person in desktop.people(uid, ways.root)]
    works += [partial(webhook.post, address, line) for address in ways.addresses]
    if ways.command:
        works.append(partial(_run, event, line, ways))
    problems: list[str] = []

    def carry_out(work: Callable[[], str | None]) -> None:
        problem = work()
        if problem is not None:
            problems.append(visible(problem))

    workers = [threading.Thread(target=carry_out, args=(work,), daemon=True) for work in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(problems)


def _run(event: GuardEvent, line: bytes, ways: Ways) -> str | None:
    done = run_bounded(ways.command, given=line, environment=environment_of(event), timeout_seconds=ways.exec_seconds)
    if done.returncode == 0:
        return None
    if done.returncode < -100:  # no code of its own
        return done.stderr
    said = (done.stderr.splitlines() or [""])[0]
    return f"{ways.command[0]}: exit code {done.returncode}{': ' if said else ''}{said}"


def environment_of(event: GuardEvent) -> dict[str, str]:
    """What a program is told beside the event itself; a name from a process cannot have a line break or a terminal's code."""
    victim = event.victim
    told = {
        "EVENT": event.kind,
        "TIME": event.raw.get("time"),
        "SCOPE": event.scope,
        "ROAD": event.road,
        "DRY_RUN": "1" if event.dry_run else "0",
        "SIGNAL": event.signal,
        "REASON": event.reason,
        "VICTIM_PID": victim.pid if victim else None,
        "VICTIM_COMM": victim.comm if victim else None,
        "VICTIM_UID": victim.uid if victim else None,
        "VICTIM_CGROUP": victim.cgroup if victim else None,
        "VICTIM_UNIT": victim.unit if victim else None,
        "VICTIM_CONTAINER": victim.container if victim else None,
    }
    base = {"PATH": os.environ.get("PATH", _PATH), "LANG": os.environ.get("LANG", "C.UTF-8"), "HOME": "/"}
    return base | {f"OOMLENS_{name}": visible(str(value))[:4096] for name, value in told.items() if value is not None}
