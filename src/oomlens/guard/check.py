"""Could the guard act here, and whom would it choose now? Tries for real, on a child of its own; changes nothing else."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oomlens.guard.loop.acting import Acting
from oomlens.guard.loop.calls import release_memory
from oomlens.guard.loop.candidates import Candidates
from oomlens.guard.loop.cgroups import Group, Hierarchy
from oomlens.guard.loop.events import Events
from oomlens.guard.loop.machine import Machine, trigger
from oomlens.guard.loop.scopes import Watched, scopes_of
from oomlens.guard.loop.steps import Steps
from oomlens.policy.choose import Choice
from oomlens.policy.sample import Sample
from oomlens.policy.settings import Scope

OK, LIMITED, MISSING = "ok", "limited", "missing"
# Programs that do the same; two guards shoot twice.
_OTHERS = ("earlyoom", "nohang", "systemd-oomd", "oomd", "bustd")
_LOCK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """name: a word of a closed list. state: OK, LIMITED (it works, less well) or MISSING (it could not act)."""

    name: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A scope now: its levels in kB, and who would be chosen."""

    scope: Scope
    sample: Sample | None
    choice: Choice | None
    took_ms: float


def checks(table: Mapping[str, Any]) -> list[Check]:
    """What the guard needs, tried out."""
    root = table["root"].rstrip("/")
    return [*_detects(root), *_acts(root), *_survives(), *_tells(table, root)]


def outlooks(table: dict[str, Any]) -> list[Outlook]:
    """Every scope of the table as it is now."""
    silent = {
        **table,
        "log_file": "",
        "log_stdout": False,
        "kmsg": False,
        "journal": False,
        "tell_argv": [],
        "dry_run": True,
    }
    root = table["root"].rstrip("/")
    hierarchy, machine = Hierarchy(root), Machine(root)
    candidates = Candidates(hierarchy, root)
    acting = Acting(silent, hierarchy, candidates, Events(silent), Steps(hierarchy, table["run_dir"]))
    found = []
    for cgroup, scope in scopes_of(table, hierarchy):
        watched = Watched(scope, Group(hierarchy, cgroup) if cgroup else machine)
        begun = time.perf_counter()
        sample = watched.look(hierarchy)
        choice = acting.choice(watched, sample, "exhaustion") if sample is not None else None
        found.append(Outlook(scope, sample, choice, round((time.perf_counter() - begun) * 1000, 1)))
        watched.close()
    return found


def _detects(root: str) -> Iterator[Check]:
    sample = Machine(root).sample(close=True)
    yield Check("meminfo", OK if sample is not None else MISSING, f"{root}/proc/meminfo")
    path = root + "/proc/pressure/memory"
    fd = trigger(path)
    if fd >= 0:
        os.close(fd)
    readable = sample is not None and sample.memory_stall_us is not None
    yield Check("pressure", OK if fd >= 0 else LIMITED, "" if fd >= 0 else ("no trigger" if readable else "no PSI"))
    hierarchy = Hierarchy(root)
    yield Check("cgroup-v2", OK if hierarchy.v2 else LIMITED, hierarchy.mount)


def _acts(root: str) -> Iterator[Check]:
    yield _kills_a_child()
    if os.geteuid() != 0:
        yield Check("others-processes", LIMITED, "not root")
    else:
        yield Check("others-processes", OK if _capable(5) else MISSING, "CAP_KILL")
    machine = Machine(root)
    pids = machine.pids()
    readable = sum(1 for pid in pids if os.access(f"{root}/proc/{pid}/oom_score", os.R_OK))
    hidden = _hides(root)
    yield Check(
        "visible-processes",
        OK if readable >= len(pids) - 8 and not hidden else LIMITED,
        "hidepid" if hidden else f"{readable}/{len(pids)}",
    )
    running = []
    for pid in pids:
        try:
            name = Path(f"{root}/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        if name in _OTHERS:
            running.append(f"{name} ({pid})")
    yield Check("other-guards", LIMITED if running else OK, ", ".join(running))


def _kills_a_child() -> Check:
    """The whole way on a process of our own: pidfd, signal, release, exit."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    try:
        fd = os.pidfd_open(pid)
    except OSError as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Check("kill", MISSING, f"pidfd_open: {error.strerror}")
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        code = release_memory(fd)
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
    # ESRCH: it was gone before; EINVAL: nothing left to release.
    quick = code in (0, 3, 22, 11)
    return Check("kill", OK if quick else LIMITED, "" if quick else f"process_mrelease: {os.strerror(code)}")


def _survives() -> Iterator[Check]:
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    locks = _capable(14) or soft == resource.RLIM_INFINITY or soft >= _LOCK_BYTES
    yield Check("lock-memory", OK if locks else LIMITED, "" if locks else f"RLIMIT_MEMLOCK {soft // 1024} kB")
    yield Check("own-score", OK if _capable(24) else LIMITED, "" if _capable(24) else "CAP_SYS_RESOURCE")


def _tells(table: Mapping[str, Any], root: str) -> Iterator[Check]:
    log = str(table["log_file"])
    if log:
        # Folders that are missing are made.
        place = next(each for each in (Path(log), *Path(log).parents) if each.exists())
        yield Check("log-file", OK if os.access(place, os.W_OK) else LIMITED, log)
    if table["kmsg"]:
        writable = os.access(root + "/dev/kmsg", os.W_OK)
        yield Check("kernel-log", OK if writable else LIMITED, root + "/dev/kmsg")
    if table["journal"]:
        yield Check(
            "journal", OK if Path("/run/systemd/journal/socket").exists() else LIMITED, "/run/systemd/journal/socket"
        )


def _capable(number: int) -> bool:
    """Whether this process has a capability effectively (capabilities(7))."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _hides(root: str) -> bool:
    """Whether /proc hides other people's processes."""
    try:
        mounts = Path(root + "/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    hiding = [line for line in mounts.splitlines() if line.split(" ")[1:3] == ["/proc", "proc"]]
    return any(
        "hidepid=" in line and "hidepid=0" not in line and "hidepid=off" not in line for line in hiding
    ) and not _capable(19)
