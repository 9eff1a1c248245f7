"""The journal: what was done to this machine, written before it is done, with all that takes it back.

A file for each application of a plan, one JSON object a line, on the disk before the step begins. The last line of a file
may be torn by a power cut; it is then left out, for what it announces has not begun.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from oomlens.host.write.files import sync_folder
from oomlens.model.plan import Json, Plan
from oomlens.model.plan_codec import PlanError, plan_from_dict, plan_to_dict

SCHEMA = "oomlens/journal/1"


class Status(StrEnum):
    """What became of an application. `applying` and `taking-back` were interrupted."""

    APPLYING = "applying"
    APPLIED = "applied"
    TAKING_BACK = "taking-back"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


class Progress(StrEnum):
    """How far a step came."""

    DOING = "doing"
    DONE = "done"
    ALREADY = "already"
    SKIPPED = "skipped"
    UNDONE = "undone"


@dataclass(slots=True)
class StepRecord:
    """A step in the journal. before, after: the states around it; None where they are not known yet."""

    progress: Progress
    before: Json = None
    after: Json = None


@dataclass(slots=True)
class Application:
    """One application of a plan, as its file tells. `number` is its id."""

    number: int
    path: Path
    plan: Plan
    begun: Mapping[str, Any]
    status: Status = Status.APPLYING
    steps: dict[str, StepRecord] = field(default_factory=dict)
    events: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its number and its plan's id: `7-3f2a9c01d2e4`."""
        return f"{self.number}-{self.plan.id}"

    @property
    def unfinished(self) -> bool:
        """Whether it was interrupted."""
        return self.status in (Status.APPLYING, Status.TAKING_BACK)

    @property
    def ended_boot_id(self) -> str | None:
        """The boot during which it was carried out."""
        found = self.begun.get("boot_id")
        return str(found) if found else None

    def take(self, event: Mapping[str, Any]) -> None:
        """Follows one event."""
        self.events.append(event)
        name, step = event["event"], event.get("step")
        if name in (Progress.DONE, Progress.UNDONE) and step in self.steps:
            self.steps[step].progress = Progress(name)
            if name == Progress.DONE:
                self.steps[step].after = event.get("after")
        elif name in (Progress.DOING, Progress.ALREADY, Progress.SKIPPED) and step is not None:
            self.steps[step] = StepRecord(Progress(name), event.get("before"))
        elif name in set(Status):
            self.status = Status(name)


class JournalError(Exception):
    """The journal cannot be read, written or locked; the text says where and why."""


class BusyError(JournalError):
    """Another oomlens is changing this machine."""


class Journal:
    """The applications of a state folder, oldest first."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "journal"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One change at a time. Raises BusyError, JournalError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{self.folder}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BusyError(f"{self.folder / 'lock'}") from error
            yield
        finally:
            os.close(descriptor)

    def applications(self) -> list[Application]:
        """All that can be read. Raises JournalError where a file is no journal."""
        try:
            names = sorted(self.folder.glob("*.jsonl"))
        except OSError as error:
            raise JournalError(f"{self.folder}: {error.strerror}") from error
        found = [application for name in names if (application := _read(name)) is not None]
        return sorted(found, key=lambda one: one.number)

    def begin(self, plan: Plan, facts: Mapping[str, Any]) -> Application:
        """A new application, on the disk."""
        number = 1 + max((one.number for one in self.applications()), default=0)
        path = self.folder / f"{number:06d}-{plan.id}.jsonl"
        event = {"event": "begin", "schema": SCHEMA, "plan": plan_to_dict(plan), **facts}
        application = Application(number, path, plan, event)
        self.append(application, event)
        sync_folder(self.folder)
        return application

    def append(self, application: Application, event: Mapping[str, Any]) -> None:
        """Writes an event through to the disk, then follows it. Raises JournalError."""
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            descriptor = os.open(application.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                end = _whole_length(descriptor)
                os.ftruncate(descriptor, end)
                os.pwrite(descriptor, line, end)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise JournalError(f"{application.path}: {error.strerror}") from error
        application.take(event)


def _whole_length(descriptor: int) -> int:
    """Where the last whole line ends."""
    size = os.fstat(descriptor).st_size
    while size and os.pread(descriptor, 1, size - 1) != b"\n":
        size -= 1
    return size


def _read(path: Path) -> Application | None:
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
        events = [json.loads(line) for line in lines]
        if not events:
            return None  # the power went before the plan was on the disk: nothing was done
        number = int(path.name.partition("-")[0])
        application = Application(number, path, plan_from_dict(events[0]["plan"]), events[0])
        for event in events:
            application.take(event)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    except (PlanError, KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path}: not a journal of oomlens ({type(error).__name__}: {error})") from error
    return application
