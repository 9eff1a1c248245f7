"""What happened to a container: the engine's flag, the exit code, the restart count and the kernel's report, held against each other.

Each of them alone misleads. `OOMKilled` means "an out-of-memory event", also of a child or where nothing was killed; Podman 4.3 leaves it
false after a kill; an exit code of 137 is any SIGKILL; a restart policy hides them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.container import UNLIMITED, ContainerFact, EngineFact, EngineKind, Kill
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text

SIGKILLED = 137  # 128 + 9, as a shell shows it
_SAME = 0.99  # a limit is printed in whole kB, and rounded down to pages


class Story(NamedTuple):
    """limit_hit: whether its own limit was reached; None: it cannot be told. kills: how often, at least. elsewhere: killed, but not
    at its own limit. texts: what speaks for it, and which source is wrong where they differ."""

    limit_hit: bool | None
    kills: int
    elsewhere: bool
    texts: tuple[Text, ...]
    evidence: tuple[Evidence, ...]


def story_of(container: ContainerFact, engine: EngineFact) -> Story:
    """What the sources say together."""
    reports = container.reports
    own = [kill for kill in reports or () if kill.at_its_limit]
    counted = max(len(own), container.kills or 0)
    elsewhere = bool(reports) and not own and not container.kills
    texts = [*_kernel(container, counted, elsewhere), *_flag(container, engine, counted), *_restarts(container)]
    hit: bool | None
    if own and _all_were_lower(container, own):
        hit = False
        texts.append(Text(message("those kills were at lower limits: none is known at the limit of now")))
    elif counted or container.oom_events:
        hit = True
    elif container.oom_killed:
        hit = not elsewhere
    elif reports is None and container.exit_code == SIGKILLED and not container.running:
        hit = None  # the log could not be read, and this engine's flag may be wrong
    else:
        hit = False
    return Story(hit, max(counted, 1) if hit else 0, elsewhere, tuple(texts), _evidence(container))


def _all_were_lower(container: ContainerFact, own: Sequence[Kill]) -> bool:
    """Whether the limit was raised since the last kill, so that what is counted and flagged is of before."""
    now = container.limits.memory_bytes
    if now is None or now == UNLIMITED or max(container.kills or 0, container.oom_events or 0) > len(own):
        return False
    return all(kill.limit_bytes is not None and kill.limit_bytes < now * _SAME for kill in own)


def _kernel(container: ContainerFact, counted: int, elsewhere: bool) -> list[Text]:
    reports = container.reports
    if elsewhere:
        text = message(
            "the kernel killed {victim} in it, but not at its own limit: the machine or a cgroup above it was full"
        )
        return [Text(text, {"victim": (reports or ())[-1].victim})]
    if reports:
        own = [kill for kill in reports if kill.at_its_limit]
        text = message("kills at its limit in the kernel's log: {count}, the last of {victim}")
        return [Text(text, {"count": len(own), "victim": own[-1].victim})] if own else []
    if counted:
        return [Text(message("kills that its cgroup counts since it was started: {count}"), {"count": counted})]
    return []


def _flag(container: ContainerFact, engine: EngineFact, counted: int) -> list[Text]:
    """The engine's flag and the exit code against what the kernel did."""
    killed, code = container.oom_killed, container.exit_code
    ended = not container.running and code is not None
    if (killed or container.oom_events) and container.oom_kill_disabled and not counted:
        text = message(
            "its limit was reached, but nothing was killed: with --oom-kill-disable its processes hang there until it is raised"
        )
        return [Text(text)]
    if killed and ended and code != SIGKILLED:
        text = message(
            "OOMKilled is set and the exit code is {code}: a child was killed, the first process ended by itself"
        )
        return [Text(text, {"code": code})]
    if killed and container.running:
        return [Text(message("OOMKilled is set while it runs: a child was killed"))]
    if killed:
        return [Text(message("OOMKilled is set, exit code {code}"), {"code": code})]
    if counted and ended and code == SIGKILLED:
        text = message(
            "{engine} says OOMKilled=false with exit code 137; the kernel says it killed: the kernel is right"
        )
        return [Text(text, {"engine": _called(engine)})]
    if ended and code == SIGKILLED and container.reports is not None:
        text = message(
            "exit code 137 alone: somebody sent SIGKILL (docker kill, a stop that took too long), or the kernel's report has left the logs"
        )
        return [Text(text)]
    return []


def _restarts(container: ContainerFact) -> list[Text]:
    if not container.restart_count:
        return []
    text = message("it was restarted {count} times by its policy {policy}: its present state hides how it ended before")
    return [Text(text, {"count": container.restart_count, "policy": container.restart_policy or "?"})]


def _called(engine: EngineFact) -> str:
    name = "Podman" if engine.kind is EngineKind.PODMAN else "Docker"
    return f"{name} {engine.version}".rstrip()


def _evidence(container: ContainerFact) -> tuple[Evidence, ...]:
    """The values as they were read."""
    rows = (
        Evidence("State.OOMKilled", container.oom_killed),
        Evidence("State.ExitCode", None if container.running else container.exit_code),
        Evidence("RestartCount", container.restart_count or None, "count"),
        Evidence("oom_kill", container.kills, "count"),
        Evidence("events: oom", container.oom_events or None, "count"),
        Evidence("kernel reports", None if container.reports is None else len(container.reports), "count"),
    )
    return tuple(row for row in rows if row.value is not None)
