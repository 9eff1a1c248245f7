"""A plan: ordered, reversible steps for one machine or object, as data.

A planner makes it, `apply` carries it out, the journal keeps it. JSON form: `oomlens.model.plan_codec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from oomlens.model.finding import Evidence

Json = Any
Value = int | float | str | bool | None


class Safety(StrEnum):
    """safe: done when the plan is applied. disruptive: restarts or may kill something, done when it is named. manual: for a person."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"
    MANUAL = "manual"


class Effect(StrEnum):
    """When a step takes effect."""

    NOW = "now"
    RESTART = "after-restart"
    RECREATION = "after-recreation"
    REBOOT = "after-reboot"


class Lasts(StrEnum):
    """How long a step's effect lasts if nobody takes it back."""

    RESTART = "until-restart"
    RECREATION = "until-recreation"
    REBOOT = "until-reboot"
    FOR_GOOD = "for-good"


class Text(NamedTuple):
    """A sentence for people: an English source text of the catalogue, and its raw values (units in their names)."""

    text: str
    values: Mapping[str, Value] = {}


class Check(NamedTuple):
    """A precondition, looked at again just before anything is changed.

    kind: a row of `oomlens.apply.preconditions`. target: what it is about. value: what is wanted of it.
    """

    kind: str
    target: str
    value: Json = None


@dataclass(frozen=True, slots=True)
class Step:
    """One reversible change.

    action: who carries it out, a row of `oomlens.plan.actions` (pure half) and `oomlens.apply.actions` (the other half).
    target: what is changed, for people. parameters: JSON values that the action needs.
    before: what the planner saw there (the action's own form); apply refuses where it is something else by then. None: anything.
    diff: lines of a unified diff, where a file's text changes.
    id: `<plan id>.<number>`, given by `oomlens.plan.assemble.make_plan`.
    """

    action: str
    target: str
    title: Text
    parameters: Mapping[str, Json]
    before: Json = None
    safety: Safety = Safety.SAFE
    effect: Effect = Effect.NOW
    lasts: Lasts = Lasts.FOR_GOOD
    diff: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """What `verify` counts later. cgroups: paths as /proc/PID/cgroup shows them; units, containers, pods by name or id.

    comms: names of processes. machine: whether kills of the whole machine count.
    quiet_seconds: how long without a kill it takes to call it fixed; None: a day.
    """

    cgroups: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    comms: tuple[str, ...] = ()
    machine: bool = False
    quiet_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One remedy for one target.

    kind: the verb's word, such as "swap" or "limit unit". remedy: id of the remedy, such as "add-swap".
    argv: the same plan as a person asks for it: arguments of `oomlens plan`.
    arithmetic: where each size comes from. cost_bytes: what it takes of `cost_of` ("ram", "disk"); None where nothing or unknown.
    warnings: what a person wants to know before. incident: id of the report that it was made for.
    """

    kind: str
    remedy: str
    target: str
    title: Text
    steps: tuple[Step, ...]
    argv: tuple[str, ...] = ()
    why: tuple[Text, ...] = ()
    arithmetic: tuple[Evidence, ...] = ()
    cost_bytes: int | None = None
    cost_of: str | None = None
    preconditions: tuple[Check, ...] = ()
    warnings: tuple[Text, ...] = ()
    watch: Watch = field(default_factory=Watch)
    incident: str | None = None
    id: str = ""

    @property
    def safety(self) -> Safety:
        """That of its least safe step that is carried out; manual where a person has to do all of it."""
        done = [step.safety for step in self.steps if step.safety is not Safety.MANUAL]
        return max(done, key=list(Safety).index, default=Safety.MANUAL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no plan. code: stable, kebab-case. text: what is wrong; hint: what to type or do instead.

    commands: what the owner of the thing can run instead, where there is something.
    """

    code: str
    kind: str
    target: str
    text: Text
    hint: Text | None = None
    commands: tuple[str, ...] = ()


Proposal = Plan | Refusal


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file as a planner sees it. content: whole. mode: permission bits. path: absolute, below the root that was read."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
