"""The loop: look, step, act, log, sleep until something could have happened."""

from __future__ import annotations

import gc
import marshal
import os
import select
import time

from oomlens.guard.loop.acting import Acting
from oomlens.guard.loop.calls import keep_capabilities, lock_memory, raise_descriptors
from oomlens.guard.loop.candidates import Candidates, label_table
from oomlens.guard.loop.cgroups import Group, Hierarchy
from oomlens.guard.loop.children import Children
from oomlens.guard.loop.events import Events, to_json
from oomlens.guard.loop.files import put
from oomlens.guard.loop.machine import Machine, fill_rate_kb, trigger
from oomlens.guard.loop.scopes import Watched, scopes_of
from oomlens.guard.loop.steps import Steps, write_atomic
from oomlens.guard.loop.supervisor import Supervisor
from oomlens.policy.sample import as_dict
from oomlens.policy.settings import level_kb
from oomlens.policy.state import WATCH
from oomlens.policy.step import seconds_left, step, wait_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_IGN, SIGHUP, SIGINT, SIGPIPE, SIGTERM, set_wakeup_fd, signal
    from typing import Any
else:
    from _signal import SIG_IGN, SIGHUP, SIGINT, SIGPIPE, SIGTERM, set_wakeup_fd, signal  # `signal` imports enum: 1 MB

_SWAP_KB_PER_SECOND = 800 * 1024.0
_STATE_SECONDS = 10.0
# A container made since is watched after so long at most.
_FIND_SECONDS = 3.0
_LABEL_SECONDS = 60.0
# After a trigger fired the memory is on its way: a moment later the figures say more.
_AFTER_TRIGGER_SECONDS = 0.02


class Loop:
    """Everything that lives as long as the guard does."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.root: str = table["root"].rstrip("/")
        self.hierarchy = Hierarchy(self.root)
        self.machine = Machine(self.root)
        self.candidates = Candidates(self.hierarchy, self.root)
        self.events = Events(table)
        self.steps = Steps(self.hierarchy, table["run_dir"])
        self.children = Children()
        self.acting = Acting(table, self.hierarchy, self.candidates, self.events, self.steps)
        self.supervisor = Supervisor()
        self.watched: dict[str, Watched] = {}
        self.fill_kb = fill_rate_kb(os.cpu_count() or 1)
        self.wakeups = 0
        self.ending = self.reload = self._groups = False
        self._poll = select.poll()
        self._found_seconds = self._state_seconds = self._labels_seconds = float("-inf")
        self._signals = self._wakeup()

    def _wakeup(self) -> int:
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (SIGTERM, SIGINT, SIGHUP):
            signal(number, self._on_signal)
        signal(SIGPIPE, SIG_IGN)
        self._poll.register(read, select.POLLIN)
        return read

    def _on_signal(self, number: int, frame: object) -> None:
        del frame
        if number == SIGHUP:
            self.reload = True
        else:
            self.ending = True

    def find_scopes(self) -> None:
        """Scopes that have come or gone; those that stay keep their state."""
        self._found_seconds = time.monotonic()
        self._groups = any(row["cgroup"] for row in self.table["scopes"])
        wanted = scopes_of(self.table, self.hierarchy)
        names = {scope.name for _, scope in wanted}
        for name in [name for name in self.watched if name not in names]:
            gone = self.watched.pop(name)
            for path in self.steps.over(name):
                self.events.emit("undone", name, f"undone: {path}", detail=path)
            self._unregister(gone.trigger)
            gone.close()
        for cgroup, scope in wanted:
            known = self.watched.get(scope.name)
            if known is not None and known.reader.cgroup_root == cgroup and not known.lost:
                known.scope = scope
                if known.trigger < 0:
                    self._arm(known)  # its cgroup was made anew
                continue
            if known is not None:
                self._unregister(known.trigger)
                known.close()
            reader = Group(self.hierarchy, cgroup) if cgroup else self.machine
            watched = Watched(scope, reader)
            self._arm(watched)
            self.watched[scope.name] = watched

    def _arm(self, watched: Watched) -> None:
        reader = watched.reader
        path = reader.pressure_path if isinstance(reader, Group) else self.root + "/proc/pressure/memory"
        watched.trigger = trigger(path)
        if watched.trigger >= 0:
            self._poll.register(watched.trigger, select.POLLPRI)

    def _unregister(self, fd: int) -> None:
        if fd >= 0:
            self._poll.unregister(fd)
            os.close(fd)

    def turn(self) -> float:
        """One look at every scope whose time has come; how many seconds may pass until the next."""
        now = time.monotonic()
        if self._groups and now - self._found_seconds >= _FIND_SECONDS:
            self.find_scopes()
        for watched in list(self.watched.values()):
            if now >= watched.next_seconds:
                self._look(watched)
        for what, detail in self.steps.look():
            self.events.emit(what, None, f"{what}: {detail}", reason="step", detail=detail)
        self._people(now)
        self.supervisor.turned()
        ends = [watched.next_seconds for watched in self.watched.values()]
        if self.steps.busy() or self.children.busy():
            ends.append(now + 0.1)
        if self.supervisor.watchdog_seconds is not None:
            ends.append(now + self.supervisor.watchdog_seconds)
        return max(0.0, min(ends, default=now + 1.0) - time.monotonic())

    def _look(self, watched: Watched) -> None:
        sample = watched.look(self.hierarchy)
        watched.lost = sample is None
        if sample is None:
            watched.next_seconds = time.monotonic() + _FIND_SECONDS
            return
        alive = self.acting.progress(watched)
        before = watched.state
        state, decisions = step(watched.scope, before, sample, alive=alive)
        watched.state = state
        self.acting.kernel_killed(watched, sample)
        for decision in decisions:
            self.acting.carry_out(watched, decision, sample, before)
        if watched.state.warned and watched.state.phase == WATCH:
            self.acting.grow(watched, sample)
        wait = wait_seconds(watched.scope, watched.state, sample, self.fill_kb, _SWAP_KB_PER_SECOND)
        watched.next_seconds = time.monotonic() + wait

    def sleep(self, seconds: float) -> None:
        """Until the time is over, a trigger fires, a victim ends or a signal comes."""
        targets = [
            fd
            for watched in self.watched.values()
            if watched.target is not None
            for fd in watched.target.descriptors()[:64]
        ]
        for fd in targets:
            self._poll.register(fd, select.POLLIN)
        ready = self._poll.poll(seconds * 1000)
        for fd in targets:
            self._poll.unregister(fd)
        self.wakeups += 1
        if not ready:
            return
        woken = {fd for fd, _ in ready}
        if self._signals in woken:
            os.read(self._signals, 64)
        for watched in self.watched.values():
            if watched.trigger in woken:
                sample = watched.state.sample
                if sample is not None and watched.state.phase == WATCH:
                    # Far from any level a stall is not ours; close to one it is looked at soon.
                    low = 2 * level_kb(watched.scope.warn, sample.total_kb)
                    pause = _AFTER_TRIGGER_SECONDS if sample.available_kb <= low else 1.0
                    watched.next_seconds = min(watched.next_seconds, time.monotonic() + pause)
                self._calm(watched.trigger)
            elif watched.target is not None and any(fd in woken for fd in targets):
                watched.next_seconds = 0.0

    def _calm(self, fd: int) -> None:
        """A trigger that errs (its cgroup is gone) would wake the loop for ever."""
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        if any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0)):
            for watched in self.watched.values():
                if watched.trigger == fd:
                    watched.trigger = -1
            self._unregister(fd)

    def _people(self, now: float) -> None:
        """State for the metrics, and the short-lived programs, which wait until there is memory for them."""
        if now - self._state_seconds >= _STATE_SECONDS:
            self._state_seconds = now
            self.write_state()
        calm = all(watched.state.phase == WATCH for watched in self.watched.values())
        if self.events.waiting and calm and not self.children.busy():
            self.children.start(self.table["tell_argv"], self.events.waiting.pop(0))
        self.children.look()
        if self.table["label_argv"]:
            if now - self._labels_seconds >= _LABEL_SECONDS and self.children.ask("labels", self.table["label_argv"]):
                self._labels_seconds = now
            content = self.children.answer("labels")
            if content:
                self.candidates.labels = label_table(content)

    def write_state(self) -> None:
        """state.json of contract 2."""
        rows = []
        for name, watched in self.watched.items():
            sample = watched.state.sample
            if sample is None:
                continue
            total = sample.total_kb
            low = sample.available_kb <= level_kb(watched.scope.term, total)
            level = "low" if low else "warn" if watched.state.warned else "calm"
            left = seconds_left(watched.state, sample)
            rate = round(watched.state.fill_kb_per_second, 1)
            rows.append(
                {"name": name, **as_dict(sample), "level": level, "fill_kb_per_second": rate, "seconds_left": left}
            )
        counts = {**self.acting.counts, "wakeups": self.wakeups, "log_lost": self.events.lost}
        state = {
            "schema": "oomlens/guard-state/1",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "uptime_seconds": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
            "pid": os.getpid(),
            "digest": self.table["digest"],
            "scopes": rows,
            "counts": counts,
        }
        write_atomic(self.table["run_dir"] + "/state.json", to_json(state).encode())

    def take_table(self, content: bytes | None) -> None:
        """A new table, or the old one where there is none."""
        try:
            table: dict[str, Any] | None = marshal.loads(content) if content else None  # noqa: S302 — our own program's, through our own pipe
            if table is not None and table["format"] == 1 and self.table.keys() <= table.keys():
                scopes_of(table, self.hierarchy)
            else:
                table = None
        except (ValueError, EOFError, TypeError, KeyError, AttributeError):
            table = None
        if table is None:
            self.events.emit(
                "reload-refused", None, "the new configuration is refused; the old one stays", reason="refused"
            )
            return
        self.table = table
        fresh = Events(table)
        fresh.lost, fresh.waiting = self.events.lost, self.events.waiting
        self.events.close()
        self.events = fresh
        self.acting.take_table(table, self.events)
        self.find_scopes()
        self.events.emit("reloaded", None, f"configuration read again: {table['source']}")

    def run(self) -> int:
        """Until SIGTERM."""
        self.find_scopes()
        self.events.emit(
            "started", None, f"watching {len(self.watched)} scopes, {self.table['source']}",
            detail=f"fills at most {int(self.fill_kb / 1024)} MB/s; trigger {any(each.trigger >= 0 for each in self.watched.values())}",
        )  # fmt: skip
        self.supervisor.say("READY=1\nSTATUS=watching\n")
        gc.collect()
        gc.freeze()
        while not self.ending:
            pause = self.turn()
            if self.reload and not self.children.asking("reload"):
                self.reload = False
                if not self.children.ask("reload", self.table["reload_argv"]):
                    self.take_table(None)
            content = self.children.answer("reload")
            if content is not None:
                self.take_table(content)
            if not self.ending:
                self.sleep(min(pause, 0.1) if self.children.busy() else pause)
        self.supervisor.say("STOPPING=1")
        for path in self.steps.end():
            self.events.emit("undone", None, f"undone: {path}", detail=path)
        self.write_state()
        self.events.emit("stopped", None, "stopped")
        return 0


def main(fd: int) -> int:
    """The program. fd: holds the marshalled table."""
    content = b""
    while chunk := os.read(fd, 1 << 20):
        content += chunk
    os.close(fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)  # the lock is ours, not a hook's
            except OSError:
                continue
    table: dict[str, Any] = marshal.loads(content)  # noqa: S302 — written by our own launcher
    del content
    problems = []
    if table["nice"] is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, table["nice"])
        except OSError as error:
            problems.append(f"nice is not {table['nice']}: {error.strerror}")
    if table["oom_score_adj"] is not None:
        problem = put("/proc/self/oom_score_adj", str(table["oom_score_adj"]).encode())
        if problem is not None:
            problems.append(f"oom_score_adj is not {table['oom_score_adj']}: {problem}")
    problem = raise_descriptors()
    if problem is not None:
        problems.append(f"open files are not raised: {problem}")
    if table["lock_memory"]:
        problem = lock_memory()
        if problem is not None:
            problems.append(f"memory is not locked: {problem}")
    loop = Loop(table)
    if os.geteuid() == 0 and table["capabilities"]:
        problem = keep_capabilities(table["capabilities"])
        if problem is not None:
            problems.append(f"capabilities are not dropped: {problem}")
    for problem in problems + loop.events.problems():
        loop.events.emit("failed", None, problem, reason="start", detail=problem)
    return loop.run()
