"""kubelet: evictions are its own decision; System OOM and OOMKilling events report the kernel's (pkg/kubelet/eviction, oom)."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope, Victim


def _evicted(found: re.Match[str], record: Record) -> Sighting:
    return Sighting(Kind.USERSPACE, "kubelet", Outcome.KILLED, record.text, Scope.GLOBAL, details={"pod": found["pod"]})


def _system_oom(found: re.Match[str], record: Record) -> Sighting:
    victim = Victim(pid=int(found["pid"]), comm=found["comm"])
    details = {"reported_by": "kubelet"}
    return Sighting(Kind.NOTICE, "kernel", Outcome.KILLED, record.text, Scope.GLOBAL, (victim,), details=details)


def _event(found: re.Match[str], record: Record) -> Sighting:
    victim = Victim(pid=int(found["pid"]), comm=found["comm"])
    scope = Scope.MEMCG if found["memcg"] else Scope.UNKNOWN
    return Sighting(
        Kind.NOTICE, "kernel", Outcome.KILLED, record.text, scope, (victim,), details={"reported_by": "kubelet"}
    )


def _status(_found: re.Match[str], record: Record) -> Sighting:
    details = {"reported_by": "kubelet", "reason": "OOMKilled"}
    return Sighting(Kind.NOTICE, "kernel", Outcome.KILLED, record.text, Scope.MEMCG, details=details)


KILLER = Killer(
    name="kubelet",
    needles=("evicted successfully", "system oom encountered", "oomkilling", "oomkilled", "evicting pod to reclaim"),
    read=one_line(
        (
            (r"[Ee]viction manager: pod (?:is evicted successfully\" pod=\"?)?(?P<pod>[\w.\-/]+)\"?(?: is evicted successfully)?$", _evicted),
            (r"System OOM encountered, victim process: (?P<comm>.*?), pid: (?P<pid>\d+)", _system_oom),
            (r"\bOOMKilling\b.*?(?P<memcg>Memory cgroup out of memory: )?Kill(?:ed)? process (?P<pid>\d+) \((?P<comm>.*?)\)", _event),
            (r"^\s*Reason:\s+OOMKilled\s*$", _status),
        ),
        idents=("kubelet", "k3s", "kubelite", "rke2"),
    ),
    samples=(
        (
            ("System OOM encountered, victim process: java, pid: 4711",),
            "kubelet",
            Sighting(
                Kind.NOTICE, "kernel", Outcome.KILLED, "System OOM encountered, victim process: java, pid: 4711", Scope.GLOBAL,
                (Victim(pid=4711, comm="java"),), details={"reported_by": "kubelet"},
            ),
        ),
        (
            ("Warning  OOMKilling  2m  kernel-monitor  Memory cgroup out of memory: Killed process 12 (a) total-vm:1kB",),
            None,
            Sighting(
                Kind.NOTICE, "kernel", Outcome.KILLED,
                "Warning  OOMKilling  2m  kernel-monitor  Memory cgroup out of memory: Killed process 12 (a) total-vm:1kB",
                Scope.MEMCG, (Victim(pid=12, comm="a"),), details={"reported_by": "kubelet"},
            ),
        ),
        (("eviction manager: no observation found for eviction signal allocatableMemory.available",), "kubelet", None),
    ),
    source="kubernetes pkg/kubelet/eviction/eviction_manager.go, pkg/kubelet/oom/oom_watcher_linux.go, node-problem-detector",
)  # fmt: skip
