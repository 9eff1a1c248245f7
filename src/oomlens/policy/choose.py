"""Whom, and how much of it: a process or the whole of what it belongs to."""

from __future__ import annotations

from oomlens.policy.candidate import Candidate, unit_of
from oomlens.policy.match import matches
from oomlens.policy.rankings import RANKINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from oomlens.policy.settings import Scope

# On the roads that are not about the last free memory, ending something smaller than this share of all cannot help.
LEAST_SHARE_OTHER_ROADS = 0.03
AVOID_POINTS = -500
# A fork bomb: so many processes of one name, user and cgroup, that hold this much more than the largest other process.
SWARM_COUNT = 100
SWARM_TIMES = 2.0
# Started at most a minute before the newest process of all (USER_HZ is 100 everywhere).
SWARM_YOUNG_TICKS = 6000
# One that holds more than this share of all is no part of a bomb but a leak among many, as in a database whose processes share their memory
# (which counts in each of them).
SWARM_EACH_SHARE = 0.10
# Container engines name by 64 hexadecimal digits, short forms have 32.
ENGINE_ID_DIGITS = 32


class Choice:
    """The victim (None: nobody may be, `reason` says why), the object, the cgroup or the processes that it takes along, and the whole order."""

    __slots__ = ("members", "object", "passed_over", "ranked", "reason", "target_cgroup", "victim")

    def __init__(self) -> None:
        self.victim: Candidate | None = None
        self.object = "process"
        self.target_cgroup: str | None = None
        self.members: tuple[Candidate, ...] = ()
        self.ranked: tuple[Candidate, ...] = ()
        self.passed_over: tuple[tuple[Candidate, str], ...] = ()
        self.reason: str | None = None


def choose(
    scope: Scope, candidates: Sequence[Candidate], all_kb: int, *, road: str, weights: Sequence[Mapping[str, Any]],
    exempt: Sequence[Mapping[str, Any]], own_pid: int, limit_cgroup: str | None = None, stuck: Sequence[int] = (),
) -> Choice:  # fmt: skip
    """all_kb: memory and swap of the scope. limit_cgroup: the cgroup whose own limit is hit (its whole may be taken, nothing above it).

    stuck: pids that did not end; they are not chosen again.
    """
    choice = Choice()
    everyone = tuple(candidates)
    gather, terms = RANKINGS[scope.ranking]
    known = gather(everyone)
    for each in everyone:
        found = list(terms(each, all_kb, known))
        found += [(str(rule.get("why") or "rule"), int(rule["points"])) for rule in weights if fits(rule, each)]
        if each.preference == "avoid":
            found.append(("ManagedOOMPreference=avoid", AVOID_POINTS))
        each.terms = tuple(found)
        each.points = sum(points for _, points in found)
    choice.ranked = tuple(sorted(everyone, key=lambda each: (-each.points, -each.rss_kb, -each.pid)))
    victim = None
    passed = []
    for each in choice.ranked:
        why = why_not(each, exempt, own_pid, stuck)
        if why is None:
            victim = each
            break
        passed.append((each, why))
    choice.passed_over = tuple(passed[:5])
    if victim is None:
        choice.reason = "nobody-may-be-ended"
        return choice
    if road != "exhaustion" and victim.rss_kb + victim.swap_kb < LEAST_SHARE_OTHER_ROADS * all_kb:
        choice.reason = "nobody-large-enough"
        return choice
    choice.victim = victim
    choice.members = (victim,)
    # Only where more than one may be taken is it asked of every one whether it may.
    _widen(scope, choice, everyone, lambda each: why_not(each, exempt, own_pid, stuck) is None, all_kb, limit_cgroup)
    return choice


def why_not(
    each: Candidate, exempt: Sequence[Mapping[str, Any]], own_pid: int, stuck: Sequence[int] = ()
) -> str | None:
    """Why a process may never be chosen; None where it may."""
    if each.pid == 1:
        return "PID 1"
    if each.pid == own_pid:
        return "the guard"
    if each.oom_score_adj <= -1000:
        return "oom_score_adj -1000"
    if each.preference == "omit":
        return "ManagedOOMPreference=omit"
    if each.pid in stuck:
        return "did not end"
    for rule in exempt:
        if fits(rule, each):
            return str(rule.get("why") or "exempt")
    return None


def fits(rule: Mapping[str, Any], each: Candidate) -> bool:
    """Whether all that the rule names is so. What cannot be read does not fit."""
    if "name" in rule and not matches(rule["name"], each.comm):
        return False
    if "cmdline" in rule and not matches(rule["cmdline"], each.cmdline):
        return False
    if "exe" in rule and (each.exe is None or not matches(rule["exe"], each.exe)):
        return False
    if "cgroup" in rule and (each.cgroup is None or not matches(rule["cgroup"], each.cgroup)):
        return False
    if "unit" in rule:
        unit = unit_of(each.cgroup)
        if unit is None or not matches(rule["unit"], unit):
            return False
    if "uid" in rule and each.uid != rule["uid"]:
        return False
    if "label" in rule:
        key, pattern = rule["label"]
        return key in each.labels and matches(pattern, each.labels[key])
    return True


def _widen(
    scope: Scope,
    choice: Choice,
    everyone: tuple[Candidate, ...],
    may: Callable[[Candidate], bool],
    all_kb: int,
    limit: str | None,
) -> None:
    """From the process to its whole, where that was asked for or the kernel would do so; never over one that may not be ended."""
    victim = choice.victim
    assert victim is not None
    wanted = scope.object
    target = victim.together if wanted == "auto" else above(victim.cgroup, wanted)
    if target is not None and not ((victim.cgroup or "") + "/").startswith(target + "/"):
        target = None  # what is said of it is not of where it lies now
    if target is not None and limit is not None and not (target + "/").startswith(limit.rstrip("/") + "/"):
        target = None
    if target not in (None, "", "/"):
        assert target is not None
        inside = [each for each in everyone if each.cgroup is not None and (each.cgroup + "/").startswith(target + "/")]
        if not all(may(each) for each in inside):
            choice.reason = "whole-holds-one-that-is-spared"
            return
        choice.members = tuple(inside)
        choice.target_cgroup = target
        choice.object = "cgroup" if wanted == "auto" else wanted
        return
    if wanted == "auto" and victim.rss_kb + victim.swap_kb < SWARM_EACH_SHARE * all_kb:
        _swarm(choice, [each for each in everyone if may(each)])


def _swarm(choice: Choice, allowed: Sequence[Candidate]) -> None:
    """A fork bomb instead of the largest bystander: the many alike that together hold far more than anybody else."""
    newest = max((each.start_ticks or 0 for each in allowed), default=0)
    alike: dict[tuple[str, int | None, str | None], list[Candidate]] = {}
    for each in allowed:
        if each.start_ticks is None or each.start_ticks < newest - SWARM_YOUNG_TICKS:
            continue  # a bomb is young; a database's many connections, which share what they hold, mostly are not
        alike.setdefault((each.comm, each.uid, each.cgroup), []).append(each)
    swarm = max(alike.values(), key=_held, default=[])
    if len(swarm) < SWARM_COUNT:
        return
    inside = {each.pid for each in swarm}
    largest = max((each.rss_kb + each.swap_kb for each in allowed if each.pid not in inside), default=0)
    first = max(swarm, key=lambda each: (each.points, each.rss_kb, each.pid))
    if _held(swarm) >= SWARM_TIMES * largest and first.rss_kb * 10 < _held(swarm):
        choice.victim = first
        choice.members = tuple(swarm)
        choice.object = "swarm"


def _held(members: Sequence[Candidate]) -> int:
    return sum(each.rss_kb + each.swap_kb for each in members)


def above(cgroup: str | None, wanted: str) -> str | None:
    """The cgroup of that kind which a path lies in: "cgroup" is the path itself, "unit", "session" and "container" the innermost of theirs."""
    if cgroup is None or wanted in ("auto", "process"):
        return None
    if wanted == "cgroup":
        return cgroup
    parts = cgroup.split("/")
    for end in range(len(parts), 0, -1):
        name = parts[end - 1]
        if _is(wanted, name, parts[: end - 1]):
            return "/".join(parts[:end])
    return None


def _is(wanted: str, name: str, parents: Sequence[str]) -> bool:
    if wanted == "unit":
        return name.endswith((".service", ".scope")) and not (name.startswith("user@") or name == "init.scope")
    if wanted == "session":
        return name.startswith("session-") and name.endswith(".scope")
    if name.startswith(("lxc.payload.", "systemd-nspawn@")):
        return True
    prefix, _, identity = name.removesuffix(".scope").rpartition("-")
    if len(identity) < ENGINE_ID_DIGITS or identity.strip("0123456789abcdef"):
        return False  # no engine's id: docker-registry.service is none
    if prefix:
        return prefix in ("docker", "libpod", "crio", "cri-containerd")
    return any(
        parent in ("docker", "libpod_parent", "kubepods", "burstable", "besteffort", "lxc", "actions_job")
        for parent in parents[-3:]
    )
