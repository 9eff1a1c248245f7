"""What a plan for scores is made of: the wish, the processes, and whom the kernel would kill."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.plan.containers.facts import ComposeFile
from oomlens.plan.units.facts import UnitFacts
from oomlens.plan.units.text import values_of

DEFAULTS = {"protect": -500, "sacrifice": 500}
_POSTGRES = ("postgres", "postmaster")
_POSTGRES_STARTS = ("/postgres", "/postmaster", "pg_ctl")
_SSH = ("sshd", "sshd-session", "sshd-auth")


@dataclass(frozen=True, slots=True)
class Member:
    """A running process of the target. start_ticks: field 22 of /proc/PID/stat. held_bytes: what badness counts of it.

    role: what it is for the machine (`oomlens.predict.critical`). init: the kernel never chooses it, whatever its score.
    """

    pid: int
    comm: str
    oom_score_adj: int | None
    start_ticks: int
    ppid: int
    held_bytes: int | None
    role: str | None = None
    init: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """Whom the kernel would kill next. pid None: nobody may be killed, and the machine would panic.

    role: what it is for the machine (`oomlens.predict.critical`); inside: whether it is of the target.
    """

    pid: int | None
    comm: str = ""
    held_bytes: int | None = None
    role: str | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class ScoreWish:
    """kind: "protect" or "sacrifice". nobody_else: go on although nobody would be left to kill, or -1000 is meant."""

    kind: str
    target: str
    adj: int | None = None
    nobody_else: bool = False

    @property
    def wanted(self) -> int:
        """The score to set."""
        return DEFAULTS[self.kind] if self.adj is None else self.adj


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """members: the target's running processes. unit: of the system's manager, where the target has one of its own.

    container: id or name where it is in one. compose, service: the files that create it anew, and what it is called in them.
    pod_uid, qos: of its pod, where Kubernetes runs it. cgroup: of its largest process.
    before, after: whom the kernel would kill next without and with the change.
    """

    members: tuple[Member, ...] = ()
    unit: UnitFacts | None = None
    container: str | None = None
    compose: tuple[ComposeFile, ...] = ()
    service: str | None = None
    pod_uid: str | None = None
    qos: str | None = None
    before: Next | None = None
    after: Next | None = None
    cgroup: str | None = None

    @property
    def postgres(self) -> bool:
        """Whether it is PostgreSQL, which wants to be protected in its own way."""
        return any(member.comm in _POSTGRES for member in self.members) or self._starts(_POSTGRES_STARTS)

    @property
    def ssh(self) -> bool:
        """Whether it is OpenSSH's server: it gives its listener -1000, and each session the score that it was started with."""
        if self.members:
            return all(member.comm in _SSH for member in self.members)
        return self._starts(("/sshd",))

    def _starts(self, words: tuple[str, ...]) -> bool:
        commands = values_of(self.unit.contents, "Service", "ExecStart") if self.unit is not None else ()
        return any(word in command for command in commands for word in words)
