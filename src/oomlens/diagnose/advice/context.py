"""The values of one incident that commands are filled in with."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from oomlens.model.report import CgroupNames

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Context:
    """What commands need; None where the incident does not say, and a `<placeholder>` is shown.

    limit_bytes, cap_bytes (for one process of many), heap_bytes, swap_bytes, workers: sized amounts to change to.
    """

    pid: int | None
    comm: str | None
    names: CgroupNames | None
    cgroup: str | None
    old_limit_bytes: int | None
    limit_bytes: int | None
    cap_bytes: int | None
    heap_bytes: int | None
    swap_bytes: int | None
    workers: int | None
    holder_pid: int | None
    holder: str | None
    adj: int | None
    since: str | None
    nodes: str | None

    @property
    def shown_pid(self) -> str:
        return str(self.pid) if self.pid is not None else "<PID>"

    @property
    def hog_pid(self) -> str:
        """The process that held most, alive or not."""
        return str(self.holder_pid) if self.holder_pid is not None else self.shown_pid

    @property
    def shown_comm(self) -> str:
        return shlex.quote(self.comm) if self.comm else "<NAME>"

    @property
    def unit(self) -> str:
        return shlex.quote(self.names.unit) if self.names is not None and self.names.unit else "<UNIT>"

    @property
    def slice(self) -> str:
        return shlex.quote(self.names.slice) if self.names is not None and self.names.slice else "<SLICE>"

    @property
    def container(self) -> str:
        if self.names is None:
            return "<CONTAINER>"
        name = self.names.container_name or (self.names.container_id or "")[:12]
        return shlex.quote(name) if name else "<CONTAINER>"

    @property
    def pod_uid(self) -> str:
        return shlex.quote(self.names.pod_uid) if self.names is not None and self.names.pod_uid else "<POD-UID>"

    @property
    def podman(self) -> bool:
        return self.names is not None and self.names.runtime == "podman"

    @property
    def path(self) -> str:
        """The cgroup's folder below the mount point of cgroup v2."""
        return shlex.quote(f"/sys/fs/cgroup{self.cgroup}") if self.cgroup else "/sys/fs/cgroup/<CGROUP>"

    @property
    def path_v1(self) -> str:
        """The cgroup's folder of the memory controller of cgroup v1."""
        return shlex.quote(f"/sys/fs/cgroup/memory{self.cgroup}") if self.cgroup else "/sys/fs/cgroup/memory/<CGROUP>"


NOTHING_KNOWN = Context(*[None] * 15)


def suffixed(size: int | None, unknown: str = "<SIZE>") -> str:
    """A size as systemd, Docker and swap tools take it: `2G`, `640M`."""
    if size is None:
        return unknown
    mib = -(-size // MIB)
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"


def quantity(size: int | None, unknown: str = "<SIZE>") -> str:
    """A size as a Kubernetes quantity: `2Gi`, `640Mi`."""
    told = suffixed(size, unknown)
    return told if size is None else f"{told}i"
