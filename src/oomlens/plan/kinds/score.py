"""protect, sacrifice: whom the kernel chooses. Running processes at once, their unit for good (systemd.exec(5), proc(5))."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.kernel.badness import UNKILLABLE
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Plan, Proposal, Refusal, Step, Text, Value, Watch
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from oomlens.plan.score.facts import Member, ScoreFacts, ScoreWish
from oomlens.plan.score.keep import kept, trouble

_SCORES = range(-1000, 1001)


def propose(wish: ScoreWish, facts: ScoreFacts) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    problem = _problem(wish, facts)
    if problem is not None:
        return (problem,)
    live = [step for member in _reached(wish, facts) for step in _live(member, wish)]
    steps, checks = kept(wish, facts)
    titles = {
        "protect": message("protect {target} from the kernel's choice: oom_score_adj {adj}"),
        "sacrifice": message("let the kernel choose {target} first: oom_score_adj {adj}"),
    }
    plan = Plan(
        kind=wish.kind,
        remedy="protect-process" if wish.kind == "protect" else "set-oom-score-adj",
        target=wish.target,
        title=Text(titles[wish.kind], {"target": wish.target, "adj": wish.wanted}),
        steps=(*live, *steps),
        argv=(wish.kind, wish.target, f"--adj={wish.wanted}", *(("--nobody-else",) if wish.nobody_else else ())),
        arithmetic=tuple(_arithmetic(facts)),
        preconditions=(*_checks(wish, facts), *checks),
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
            bool(facts.members) and all(member.init for member in facts.members),
            "init",
            message("The kernel never chooses the init process, whatever its score."),
            message("Name a service; oomlens predict shows who would be chosen."),
        ),
        (
            wish.kind == "protect" and facts.ssh and (not facts.members or any(member.oom_score_adj == UNKILLABLE for member in facts.members)),
            "ssh",
            message("OpenSSH protects its listening process itself (-1000). A score of its unit would be given to every session."),
            message("Nothing is to be done; protect what runs in a session by its pid or unit."),
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
    if wish.kind == "protect" and facts.postgres:
        return tuple(member for member in facts.members if member.ppid not in pids)
    return facts.members


def _live(member: Member, wish: ScoreWish) -> Iterator[Step]:
    values: dict[str, Value] = {"comm": member.comm, "pid": member.pid, "adj": wish.wanted}
    before = None if member.oom_score_adj is None else str(member.oom_score_adj)
    title = Text(message("{comm}[{pid}]: oom_score_adj {adj}, inherited by what it starts from now on"), values)
    yield set_value(
        f"/proc/{member.pid}/oom_score_adj", before, str(wish.wanted), title, process=(member.pid, member.start_ticks)
    )


def _arithmetic(facts: ScoreFacts) -> Iterator[Evidence]:
    for name, each in (("next_victim_before", facts.before), ("next_victim_after", facts.after)):
        if each is not None:
            told = f"{each.comm}[{each.pid}]" if each.pid is not None else "nobody"
            yield Evidence(name, told, None, None if each.held_bytes is None else f"held {each.held_bytes} bytes")


def _checks(wish: ScoreWish, facts: ScoreFacts) -> Iterator[Check]:
    lowered = [member for member in facts.members if wish.wanted < min(0, member.oom_score_adj or 0)]
    if lowered:
        # proc(5): below what a process with the capability set last, only the capability gets.
        yield Check("capability", "CAP_SYS_RESOURCE")


def _warnings(wish: ScoreWish, facts: ScoreFacts) -> Iterator[Text]:
    yield from _instead(wish, facts)
    if wish.kind == "sacrifice":
        for comm, role in dict.fromkeys(
            (member.comm, member.role) for member in facts.members if member.role is not None
        ):
            yield Text(
                message("{comm} is critical for this machine ({role}): its death may cost more than its memory."),
                {"comm": comm, "role": role},
            )
    if wish.wanted == UNKILLABLE:
        yield Text(message("With -1000 it is never killed: a leak in it takes the whole machine down."))
    yield from trouble(wish, facts)


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
