"""Carrying out what the policy decided: choose, tell, signal, follow. One event for each, with its reasons."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.act import SIGKILL, SIGTERM, Target
from oomlens.guard.loop.candidates import MOST_CLOSELY
from oomlens.policy.candidate import candidate_as_dict, unit_of
from oomlens.policy.choose import SWARM_EACH_SHARE, choose
from oomlens.policy.evidence import told
from oomlens.policy.sample import as_dict
from oomlens.policy.settings import level_kb
from oomlens.policy.state import KILL, state_as_dict
from oomlens.policy.step import acted, held_back, seconds_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from oomlens.guard.loop.candidates import Candidates
    from oomlens.guard.loop.cgroups import Hierarchy
    from oomlens.guard.loop.events import Events
    from oomlens.guard.loop.scopes import Watched
    from oomlens.guard.loop.steps import Steps
    from oomlens.policy.candidate import Candidate
    from oomlens.policy.choose import Choice
    from oomlens.policy.sample import Sample
    from oomlens.policy.state import State
    from oomlens.policy.step import Decision

_NAMES = {SIGTERM: "TERM", SIGKILL: "KILL"}
_GROW_SECONDS = 1.0
_LOOK_SECONDS = 0.5
# A step before the kill gets so long to help, while more than the kill level is left.
_STEP_SECONDS = 0.5
# So many candidates are told of each decision, so that it can be decided again, also by other rules.
_LOGGED = 64
# So many more processes than at rest are looked at all: a fork bomb is found by its number.
_MANY_MORE = 100
_ASIDE_SECONDS = 60.0


class Acting:
    """The guard's hands."""

    def __init__(
        self,
        table: dict[str, Any],
        hierarchy: Hierarchy,
        candidates: Candidates,
        events: Events,
        steps: Steps,
    ) -> None:
        self._table = table
        self._hierarchy = hierarchy
        self._candidates = candidates
        candidates.serve([*table["exempt"], *table["weights"]])
        self._events = events
        self._steps = steps
        self._stuck: dict[int, float] = {}
        self._held: dict[str, float] = {}
        self._warned: set[str] = set()
        self.counts = dict.fromkeys(
            ("warnings", "decisions", "term", "kill", "gone", "stuck", "held_back", "kernel_kills"), 0
        )

    def take_table(self, table: dict[str, Any], events: Events) -> None:
        """After a reload."""
        self._candidates.serve([*table["exempt"], *table["weights"]])
        self._table = table
        self._events = events

    def progress(self, watched: Watched) -> bool | None:
        """Whether what was told to end still runs; None where nothing was."""
        target = watched.target
        if target is None:
            return None
        if watched.state.phase == KILL:
            target.again()
            target.release()
        return target.alive()

    def grow(self, watched: Watched, sample: Sample) -> None:
        """While it is close: what the largest hold, now and then. Not where it falls so quickly that the look would take the time to act."""
        room = sample.available_kb - level_kb(watched.scope.term, sample.total_kb)
        if room < watched.state.last_fall_kb_per_second * _LOOK_SECONDS:
            return
        now = time.monotonic()
        if now - watched.grown_seconds >= _GROW_SECONDS:
            watched.grown_seconds = now
            self._candidates.remember(watched.reader.pids(), scanned=watched.scope.ranking == "pressure")

    def kernel_killed(self, watched: Watched, sample: Sample) -> None:
        """The kernel was quicker: said, for it means that the levels are too low."""
        kills, watched.oom_kills = watched.oom_kills, watched.reader.oom_kills
        if kills is not None and watched.oom_kills is not None and watched.oom_kills > kills:
            count = watched.oom_kills - kills
            self.counts["kernel_kills"] += count
            self._emit(
                "kernel-killed", watched, f"the kernel killed {count} in {watched.scope.name}", sample, value=count
            )

    def carry_out(self, watched: Watched, decision: Decision, sample: Sample, before: State) -> None:
        """One decision of the policy."""
        kind = decision.kind
        if kind == "act":
            self._act(watched, decision, sample, before)
        elif kind == "escalate":
            self._escalate(watched, decision, sample)
        elif kind == "warn":
            self.counts["warnings"] += 1
            left = "" if decision.value is None else f", gone in {decision.value:.0f} s at this rate"
            message = f"memory is running out in {watched.scope.name}: available {sample.available_kb} kB of {sample.total_kb} kB{left}"
            self._emit("warned", watched, message, sample, road=decision.road, evidence=told(decision.evidence))
            self._warned.add(watched.scope.name)
            self._take_steps(watched, "warn", sample)
        elif kind == "recovered":
            self._warned.discard(watched.scope.name)
            if not self._warned:
                self._candidates.forget()
            self._emit("recovered", watched, f"enough memory again in {watched.scope.name}", sample)
            for path in self._steps.over(watched.scope.name):
                self._emit("undone", watched, f"undone: {path}", sample, detail=path)
        elif kind in ("gone", "stuck"):
            self._ended(watched, kind, sample)
        elif kind == "settled":
            self._emit("settled", watched, "its memory is back", sample, freed_kb=int(decision.value or 0))

    def _act(self, watched: Watched, decision: Decision, sample: Sample, before: State) -> None:
        begun = time.monotonic()
        scope = watched.scope
        if begun < self._held.get(scope.name, 0.0) and sample.available_kb > level_kb(scope.kill, sample.total_kb):
            return
        choice = self.choice(watched, sample, decision.road or "exhaustion")
        took_ms = round((time.monotonic() - begun) * 1000, 2)
        victim = choice.victim
        if victim is None:
            self.counts["held_back"] += 1
            self._decided("held-back", watched, decision, sample, before, choice, took_ms)
            watched.state = held_back(watched.state, sample, decision.road)
            return
        if self._take_steps(watched, "act", sample, victim) and sample.available_kb > level_kb(
            scope.kill, sample.total_kb
        ):
            self._held[scope.name] = begun + _STEP_SECONDS
            return
        self.counts["decisions"] += 1
        if self._table["dry_run"]:
            self._decided("decided", watched, decision, sample, before, choice, took_ms)
            watched.state = held_back(watched.state, sample, decision.road)
            return
        folder = self._hierarchy.path(choice.target_cgroup) if choice.target_cgroup else None
        target = Target(choice.members, folder, self._table["root"].rstrip("/"))
        number = SIGKILL if decision.strength > 1 else SIGTERM
        if not target.pids or not target.signal(number):
            # It ended by itself between the look and now, or it is not ours to end: what is left is looked at anew at once.
            reason = "cannot-signal" if target.problem else "vanished"
            self._set_aside([member.pid for member in choice.members], sample)
            target.close()
            self.counts["held_back"] += 1
            self._decided(
                "held-back", watched, decision, sample, before, choice, took_ms, reason=reason, detail=target.problem
            )
            return
        watched.target, watched.victim, watched.acted_seconds = target, victim, sample.seconds
        for path in self._steps.thaw():
            self._emit("undone", watched, f"undone: {path}", sample, detail=path)
        watched.state = acted(watched.state, sample, decision.road or "exhaustion", decision.strength)
        self._sent(watched, number)
        self._decided("decided", watched, decision, sample, before, choice, took_ms)
        self._told(watched, number, decision, sample)

    def choice(self, watched: Watched, sample: Sample, road: str) -> Choice:
        """Whom, of what is there now. Reads closely only as many as can matter."""
        table, scope, reader = self._table, watched.scope, watched.reader
        pids = reader.pids()
        scanned = scope.ranking == "pressure"
        lift = max((int(rule["points"]) for rule in table["weights"]), default=0)
        most: int | None = None if scope.ranking in ("cgroup", "pressure") else MOST_CLOSELY
        quick = most is not None and lift <= 0
        scores = self._candidates.scores(self._candidates.likely(pids) if quick else pids)
        if most is not None and lift > 0:
            most = max(most, sum(1 for score, _ in scores if score >= scores[0][0] - lift))
        found = self._candidates.closely(scores[:most], scanned=scanned)
        all_kb = sample.total_kb + sample.swap_total_kb
        now = time.monotonic()
        stuck = self._not_ended()
        limit = reader.cgroup_root or None

        def decide(candidates: Sequence[Candidate]) -> Choice:
            return choose(
                scope, candidates, all_kb, road=road, weights=table["weights"], exempt=table["exempt"], own_pid=os.getpid(),
                limit_cgroup=limit, stuck=stuck,
            )  # fmt: skip

        choice = decide(found)
        victim = choice.victim
        if victim is None or victim.rss_kb + victim.swap_kb < SWARM_EACH_SHARE * all_kb:
            # Nobody large among the likely ones: everybody is looked at; where many more run than at rest, closely, for a fork bomb
            # is seen only in all of it.
            swarm = len(pids) > watched.rest_count + _MANY_MORE
            if victim is None or swarm or quick:
                found = self._candidates.read(pids, most=None if victim is None or swarm else most, scanned=scanned)
                choice = decide(found)
        # The whole is ended with all that is in it, so all that is in it is read first: who is to be spared has a score of 0.
        whole: set[str] = set()
        while choice.target_cgroup is not None and choice.target_cgroup not in whole:
            whole.add(choice.target_cgroup)
            known = {each.pid for each in found}
            more = [pid for pid in self._hierarchy.pids(choice.target_cgroup) if pid not in known]
            others = [self._candidates.one(pid, 0, now) for pid in more]
            found = [*found, *(each for each in others if each is not None)]
            choice = decide(found)
        return choice

    def _not_ended(self) -> list[int]:
        now = time.monotonic()
        return [pid for pid, until in self._stuck.items() if until > now]

    def _take_steps(self, watched: Watched, at: str, sample: Sample, victim: Candidate | None = None) -> bool:
        """Whether one was taken now that may help."""
        helped = False
        for index, row in enumerate(watched.scope.steps):
            if row["at"] != at or self._table["dry_run"]:
                continue
            offender = victim
            if offender is None and row["cgroup"] == "offender" and row["do"] in ("reclaim", "high", "freeze"):
                offender = self.choice(watched, sample, "exhaustion").victim
            taken = self._steps.take(watched.scope.name, index, row, offender.cgroup if offender is not None else None)
            if taken is None:
                continue
            done_to, problem = taken
            event = "failed" if problem else "stepped"
            message = f"{row['do']} {done_to or ''}{': ' + problem if problem else ''}"
            self._emit(
                event,
                watched,
                message,
                sample,
                step=dict(row),
                target_cgroup=done_to,
                reason="step" if problem else None,
                detail=problem,
            )
            helped = helped or (problem is None and row["do"] in ("reclaim", "high", "freeze"))
        return helped

    def _escalate(self, watched: Watched, decision: Decision, sample: Sample) -> None:
        if watched.target is not None:
            watched.target.signal(SIGKILL)
            self._sent(watched, SIGKILL)
            self._told(watched, SIGKILL, decision, sample)

    def _sent(self, watched: Watched, number: int) -> None:
        self.counts["kill" if number == SIGKILL else "term"] += 1
        if number == SIGKILL and watched.target is not None:
            watched.target.release()

    def _set_aside(self, pids: Sequence[int], sample: Sample) -> None:
        """Not chosen again for a while: it did not end, or could not be told to."""
        self._stuck = {pid: until for pid, until in self._stuck.items() if until > sample.seconds}
        for pid in pids:
            self._stuck[pid] = sample.seconds + _ASIDE_SECONDS

    def _told(self, watched: Watched, number: int, decision: Decision, sample: Sample) -> None:
        target, victim = watched.target, watched.victim
        assert target is not None
        assert victim is not None
        swap = f", swap free {sample.swap_free_kb} kB" if sample.swap_total_kb else ""
        message = (
            f"sending SIG{_NAMES[number]} to {victim.pid} ({victim.comm}) uid {victim.uid} in {victim.cgroup}: {decision.road}, "
            f"available {sample.available_kb} kB of {sample.total_kb} kB{swap}; oom_score {victim.oom_score}, rss {victim.rss_kb} kB"
        )
        self._emit(
            "signalled", watched, message, sample, kernel=True, road=decision.road, signal=_NAMES[number], victim=candidate_as_dict(victim),
            processes=len(target.pids), target_cgroup=target.cgroup, evidence=told(decision.evidence),
            after_ms=int((sample.seconds - watched.acted_seconds) * 1000), detail=target.problem,
        )  # fmt: skip

    def _ended(self, watched: Watched, kind: str, sample: Sample) -> None:
        target, victim = watched.target, watched.victim
        if target is None or victim is None:
            return
        after_ms = int((sample.seconds - watched.acted_seconds) * 1000)
        if kind == "stuck":
            self._set_aside(target.pids, sample)
        self.counts[kind] += 1
        message = f"{victim.pid} ({victim.comm}) " + ("is gone" if kind == "gone" else "does not end")
        self._emit(
            kind, watched, f"{message} after {after_ms} ms", sample, victim=candidate_as_dict(victim), after_ms=after_ms,
            freed_kb=sample.available_kb - watched.state.before_kb,
        )  # fmt: skip
        target.close()
        watched.target = watched.victim = None

    def _decided(
        self, event: str, watched: Watched, decision: Decision, sample: Sample, before: State, choice: Choice, took_ms: float, *,
        reason: str | None = None, detail: str | None = None,
    ) -> None:  # fmt: skip
        """The whole record of why this one, and all that the pure step had."""
        victim = choice.victim
        last = (
            choice.ranked.index(victim) + 1 if victim is not None and not self._table["dry_run"] else len(choice.ranked)
        )
        why = reason or choice.reason
        message = f"{decision.road}: " + (
            f"{victim.pid} ({victim.comm}), {victim.points} points" if victim else f"nobody: {why}"
        )
        self._emit(
            event, watched, message, sample, road=decision.road, evidence=told(decision.evidence), state=state_as_dict(before),
            strength=decision.strength, signal=_NAMES[SIGKILL if decision.strength > 1 else SIGTERM],
            object=choice.object, target_cgroup=choice.target_cgroup, processes=len(choice.members),
            victim=candidate_as_dict(victim) if victim else None, unit=unit_of(victim.cgroup) if victim else None,
            candidates=[candidate_as_dict(each) for each in choice.ranked[: max(_LOGGED, last)]],
            passed_over=[{"pid": each.pid, "comm": each.comm, "why": text} for each, text in choice.passed_over],
            took_ms=took_ms, looked_at=self._candidates.count, reason=why, ranked=len(choice.ranked), stuck=self._not_ended(),
            limit_cgroup=watched.reader.cgroup_root or None, detail=detail,
        )  # fmt: skip

    def _emit(
        self, event: str, watched: Watched, message: str, sample: Sample, *, kernel: bool = False, **more: Any
    ) -> None:
        figures = as_dict(sample)
        figures["fill_kb_per_second"] = round(watched.state.fill_kb_per_second, 1)
        figures["seconds_left"] = seconds_left(watched.state, sample)
        self._events.emit(event, watched.scope.name, message, kernel=kernel, sample=figures, **more)
