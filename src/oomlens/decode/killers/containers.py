"""Container runtimes and job schedulers that report the kernel's kill: containerd, docker, crun, Slurm."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import Build, one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome, Scope


def _notice(reporter: str) -> Build:
    def build(found: re.Match[str], record: Record) -> Sighting:
        details = {"reported_by": reporter, **{name: value for name, value in found.groupdict().items() if value}}
        return Sighting(Kind.NOTICE, "kernel", Outcome.KILLED, record.text, Scope.MEMCG, details=details)

    return build


KILLER = Killer(
    name="containers",
    needles=("taskoom", "container oom", "oom-killed", "oom_kill event", "oom-kill event", "tasks/oom", "oom killed"),
    read=one_line(
        (
            (r"TaskOOM event.*?container_?id:?[\"\\]*\s*(?P<container_id>[0-9a-f]{12,64})", _notice("containerd")),
            (r"TaskOOM event &TaskOOM\{ContainerID:(?P<container_id>[0-9a-f]{12,64})", _notice("containerd")),
            (r"topic=/tasks/oom\b.*?container(?:_id)?=(?P<container_id>[0-9a-f]{12,64})", _notice("docker")),
            (r"container=(?P<container_id>[0-9a-f]{12,64}).*?topic=/tasks/oom\b", _notice("docker")),
            (r"^\S+ container oom (?P<container_id>[0-9a-f]{12,64})", _notice("docker")),
            (r"container init was OOM-killed", _notice("runc")),
            (
                r"slurmstepd: error: Detected (?P<count>\d+) oom[_-]kill event(?:\(s\)|s)? in (?:StepId=|step )(?P<step>\S+?)"
                r"(?:\.batch)?(?: cgroup)?\.(?: |$)",
                _notice("slurm"),
            ),
            (r"Some of the step tasks have been OOM Killed", _notice("slurm")),
        ),
        idents=("containerd", "dockerd", "docker", "slurmstepd", "slurmd", "kubelet", "crio", "podman", "conmon", "k3s"),
    ),
    samples=(
        (
            ('time="x" level=info msg="TaskOOM event container_id:\\"0123456789abcdef\\""',),
            "containerd",
            Sighting(
                Kind.NOTICE, "kernel", Outcome.KILLED, 'time="x" level=info msg="TaskOOM event container_id:\\"0123456789abcdef\\""',
                Scope.MEMCG, details={"reported_by": "containerd", "container_id": "0123456789abcdef"},
            ),
        ),
        (
            ("slurmstepd: error: Detected 1 oom_kill event in StepId=15.0. Some of the step tasks have been OOM Killed.",),
            None,
            Sighting(
                Kind.NOTICE, "kernel", Outcome.KILLED,
                "slurmstepd: error: Detected 1 oom_kill event in StepId=15.0. Some of the step tasks have been OOM Killed.",
                Scope.MEMCG, details={"reported_by": "slurm", "count": "1", "step": "15.0"},
            ),
        ),
        (('msg="ignoring event" container=0123456789abcdef topic=/tasks/delete',), "dockerd", None),
    ),
    source="containerd pkg/cri/server/events.go, moby daemon/monitor.go, runc init, slurm src/plugins/task/cgroup",
)  # fmt: skip
