"""protect, sacrifice: whom the kernel chooses. Running processes at once, their unit for good (systemd.exec(5), proc(5))."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.kernel.badness import UNKILLABLE
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Plan, Proposal, Refusal, Step, Text, Value, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from oomlens.plan.units.dropin import Dropin, Setting, checks_for, dropin_steps, dropin_with
from oomlens.plan.units.facts import UnitFacts
from oomlens.plan.units.text import environment_of, values_of, with_variable

DEFAULTS = {"protect": -500, "sacrifice": 500}
_SCORES = range(-1000, 1001)
# The postmaster's children take their own score back (PostgreSQL manual, "Linux Memory Overcommit").
_POSTGRES = ("postgres", "postmaster")
_POSTGRES_VARIABLES = (("PG_OOM_ADJUST_FILE", "/proc/self/oom_score_adj"), ("PG_OOM_ADJUST_VALUE", "0"))
_SSH = ("sshd", "sshd-session", "sshd-auth")


@dataclass(frozen=True, slots=True)
class Member:
    """A running process of the target. start_ticks: field 22 of /proc/PID/stat. held_bytes: what badness counts of it."""

    pid: int
    comm: str
    oom_score_adj: int | None
    start_ticks: int
    ppid: int
    held_bytes: int | None


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

    container: id or name where it is in one. before, after: whom the kernel would kill next without and with the change.
    """

    members: tuple[Member, ...] = ()
    unit: UnitFacts | None = None
    container: str | None = None
    before: Next | None = None
    after: Next | None = None
    cgroup: str | None = None


def propose(wish: ScoreWish, facts: ScoreFacts) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    problem = _problem(wish, facts)
    if problem is not None:
        return (problem,)
    live = [step for member in _reached(wish, facts) for step in _live(member, wish)]
    dropin = _dropin(wish, facts)
    steps: list[Step] = [*live]
    if dropin is not None and facts.unit is not None:
        steps += dropin_steps(facts.unit, dropin, at_once=False)
    elif facts.container is not None:
        steps.append(_container(wish, facts.container))
    elif facts.members:
        steps.append(_at_start(wish, facts))
    titles = {
        "protect": message("protect {target} from the kernel's choice: oom_score_adj {adj}"),
        "sacrifice": message("let the kernel choose {target} first: oom_score_adj {adj}"),
    }
    plan = Plan(
        kind=wish.kind,
        remedy="protect-process" if wish.kind == "protect" else "set-oom-score-adj",
        target=wish.target,
        title=Text(titles[wish.kind], {"target": wish.target, "adj": wish.wanted}),
        steps=tuple(steps),
        argv=(wish.kind, wish.target, f"--adj={wish.wanted}", *(("--nobody-else",) if wish.nobody_else else ())),
        arithmetic=tuple(_arithmetic(facts)),
        preconditions=tuple(_checks(wish, facts, dropin)),
        warnings=tuple(_warnings(wish, facts)),
        watch=Watch(
            cgroups=(facts.cgroup,) if facts.cgroup is not None and facts.unit is not None else (),
            units=(facts.unit.name,) if facts.unit is not None else (),
            containers=(facts.container,) if facts.container is not None else (),
            comms=tuple(dict.fromkeys(member.comm for member in facts.members)),
        ),
    )
    return (make_plan(plan),)


def _problem(wish: ScoreWish, facts: ScoreFacts) -> Refusal | None:
    nobody = facts.after is not None and facts.after.pid is None
    rows = (
        (
            wish.wanted not in _SCORES,
            "adj",
            message("oom_score_adj is a number from -1000 to 1000, not {adj}."),
            message("-500 protects well; 500 sacrifices."),
        ),
        (
            not facts.members and (facts.unit is None or not facts.unit.known),
            "no-target",
            message("Nothing that runs, and no unit, is called {target}."),
            message("oomlens status lists processes; give a pid, a process name, a unit or a container."),
        ),
        (
            wish.wanted == UNKILLABLE and not wish.nobody_else,
            "never",
            message("With -1000 {target} is never killed, however much it takes: the kernel kills others for it until it panics."),
            message("Take -900 or above; if you are sure: --nobody-else"),
        ),
        (
            nobody and not wish.nobody_else,
            "nobody-left",
            message("With {target} protected nobody would be left to kill: the kernel would panic."),
            message("Take a score above -1000; if you are sure: --nobody-else"),
        ),
    )  # fmt: skip
    for wrong, code, text, hint in rows:
        if wrong:
            return Refusal(
                code, wish.kind, wish.target, Text(text, {"target": wish.target, "adj": wish.wanted}), Text(hint)
            )
    return None


def _reached(wish: ScoreWish, facts: ScoreFacts) -> tuple[Member, ...]:
    """The processes to change now: all; of PostgreSQL the postmaster alone, for killing a backend restarts only sessions."""
    pids = {member.pid for member in facts.members}
    if wish.kind == "protect" and _is_postgres(facts):
        return tuple(member for member in facts.members if member.ppid not in pids)
    return facts.members


def _is_postgres(facts: ScoreFacts) -> bool:
    return any(member.comm in _POSTGRES for member in facts.members)


def _live(member: Member, wish: ScoreWish) -> Iterator[Step]:
    values: dict[str, Value] = {"comm": member.comm, "pid": member.pid, "adj": wish.wanted}
    before = None if member.oom_score_adj is None else str(member.oom_score_adj)
    title = Text(message("{comm}[{pid}]: oom_score_adj {adj}, inherited by what it starts from now on"), values)
    yield set_value(
        f"/proc/{member.pid}/oom_score_adj", before, str(wish.wanted), title, process=(member.pid, member.start_ticks)
    )


def _dropin(wish: ScoreWish, facts: ScoreFacts) -> Dropin | None:
    unit = facts.unit
    if unit is None or unit.user or unit.transient or unit.section != "Service":
        return None
    dropin = dropin_with(unit, [Setting("OOMScoreAdjust", str(wish.wanted), None, "Service")])
    if wish.kind != "protect" or not _is_postgres(facts):
        return dropin
    set_already = environment_of(values_of(unit.contents, "Service", "Environment"))
    text = dropin.text
    for name, value in _POSTGRES_VARIABLES:
        if set_already.get(name) != value:
            text = with_variable(text, name, value)
    return dropin._replace(text=text)


def _container(wish: ScoreWish, container: str) -> Step:
    name = shlex.quote(container)
    return by_hand(
        [
            f"# docker update cannot change it; where {name} is created:",
            f"docker run --oom-score-adj={wish.wanted} …",
            "# compose.yaml, in the service:",
            f"#   oom_score_adj: {wish.wanted}",
        ],
        Text(message("for the next container of {target}: its oom_score_adj"), {"target": container}),
        target=container,
    )


def _at_start(wish: ScoreWish, facts: ScoreFacts) -> Step:
    name = shlex.quote(facts.members[0].comm)
    return by_hand(
        [f"choom -n {wish.wanted} -- {name} …"],
        Text(message("for its next start, where no unit keeps it: start {target} with choom"), {"target": wish.target}),
        target=wish.target,
    )


def _arithmetic(facts: ScoreFacts) -> Iterator[Evidence]:
    for name, each in (("next_victim_before", facts.before), ("next_victim_after", facts.after)):
        if each is not None:
            told = f"{each.comm}[{each.pid}]" if each.pid is not None else "nobody"
            yield Evidence(name, told, None, None if each.held_bytes is None else f"held {each.held_bytes} bytes")


def _checks(wish: ScoreWish, facts: ScoreFacts, dropin: Dropin | None) -> Iterator[Check]:
    lowered = [member for member in facts.members if wish.wanted < min(0, member.oom_score_adj or 0)]
    if lowered:
        # proc(5): below what a process with the capability set last, only the capability gets.
        yield Check("capability", "CAP_SYS_RESOURCE")
    if dropin is not None and facts.unit is not None:
        yield from checks_for(facts.unit, dropin)


def _warnings(wish: ScoreWish, facts: ScoreFacts) -> Iterator[Text]:
    yield from _instead(wish, facts)
    if any(member.comm in _SSH for member in facts.members):
        yield Text(message("OpenSSH's listening sshd sets -1000 itself; its sessions do not inherit that."))
    if wish.kind == "protect" and _is_postgres(facts):
        yield Text(message("PostgreSQL: only the postmaster is protected; backends take 0 back (PG_OOM_ADJUST_VALUE)."))
    if facts.unit is not None and any(member.comm for member in facts.members):
        yield Text(message("A running process does not see OOMScoreAdjust of its unit; it is set in /proc as well."))
    if facts.unit is not None and facts.unit.user:
        yield Text(
            message("{unit} is a user's unit: that user's manager may only raise the score."), {"unit": facts.unit.name}
        )


def _instead(wish: ScoreWish, facts: ScoreFacts) -> Iterator[Text]:
    """Protection only moves the kill: to whom."""
    before, after = facts.before, facts.after
    if wish.kind != "protect" or after is None or after.pid is None or after.inside:
        return
    if before is not None and before.pid == after.pid:
        return  # it would have been that one anyway
    own = max((member.held_bytes or 0 for member in facts.members), default=0)
    values: dict[str, Value] = {
        "comm": after.comm, "pid": after.pid, "held_bytes": after.held_bytes, "target": wish.target, "own_bytes": own, "role": after.role,
    }  # fmt: skip
    if after.held_bytes is not None and after.held_bytes < own:
        text = message(
            "An innocent would die instead: {comm}[{pid}] holds {held_bytes}, {target} {own_bytes}. The shortage stays."
        )
        yield Text(text, values)
    else:
        yield Text(message("{comm}[{pid}] would die instead; it holds {held_bytes}."), values)
    if after.role is not None:
        yield Text(message("And that one is critical for this machine ({role})."), values)
