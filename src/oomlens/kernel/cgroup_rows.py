"""The table of cgroup names: one row per way in which a program names a cgroup.

The first row that fits a component counts, so rows go from the particular to the general.
Named groups of `pattern` and the keys of `says` are fields of `oomlens.model.report.CgroupNames`.
The one other key, `step`, is appended to `job`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """One pattern and its meaning.

    needle: a literal that must be in the component ("" where there is none).
    pattern: must match the whole component.
    above: must be found in the one or two components above, joined by "/"; None where the place does not matter.
    says: what the component means besides the named groups.
    """

    needle: str
    pattern: re.Pattern[str]
    says: Mapping[str, str]
    above: re.Pattern[str] | None = None


def _row(needle: str, pattern: str, above: str | None = None, **says: str) -> Row:
    return Row(needle, re.compile(pattern, re.DOTALL), says, re.compile(above) if above else None)


_ID = r"(?P<container_id>[0-9a-f]{12,64})"
_SEP = r"(?:-|\\x2d)"  # systemd's escape of "-", as such and undone by a logger
_RANDOM = r"(?:[0-9]+|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
# Kubernetes pod uids are UUIDs, those of static pods 32 hexadecimal digits (a hash); kubelet checks neither.
_POD = r"(?P<pod_uid>[0-9A-Za-z][0-9A-Za-z_-]*)"
_QOS = r"(?P<qos_class>besteffort|burstable)"
_DESKTOP = r"(?:^|/)(?:app|background|session)(?:-[^/]+)?\.slice$"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

ROWS: tuple[Row, ...] = (
    # Kubernetes, kubelet with cgroupDriver systemd (pkg/kubelet/cm/cgroup_manager_linux.go): slices nest by "-",
    # a --cgroup-root (kind: kubelet) comes in front; runc given a systemd path but run without systemd adds ":name:id".
    _row(
        "kubepods",
        rf"(?:.+-)?kubepods(?:-{_QOS})?-pod{_POD}\.slice:(?P<runtime>[a-z-]+):{_ID}",
        manager="kubernetes",
    ),
    _row("kubepods", rf"(?:.+-)?kubepods(?:-{_QOS})?-pod{_POD}\.slice", manager="kubernetes"),
    _row("kubepods", rf"(?:.+-)?kubepods-{_QOS}\.slice", manager="kubernetes"),
    _row("kubepods", r"(?:.+-)?kubepods(?:\.slice)?", manager="kubernetes"),
    # Kubernetes, kubelet with cgroupDriver cgroupfs: /kubepods[/burstable|/besteffort]/pod<uid>/<container>.
    _row("", _QOS, above=r"(?:^|/)kubepods$", manager="kubernetes"),
    _row("pod", rf"pod{_POD}", above=r"(?:^|/)kubepods(?:/besteffort|/burstable)?$", manager="kubernetes"),
    # CRI-O (internal/config/cgmgr): conmon watches the container and is not in it, but dies with its pod's limit.
    _row("crio-", rf"crio-conmon-{_ID}(?:\.scope)?", runtime="cri-o"),
    _row("crio-", rf"crio-{_ID}(?:\.scope)?", runtime="cri-o"),
    # containerd: CRI plugin (internal/cri/server), nerdctl (pkg/cmd/container), the namespace k8s.io without a pod.
    _row("cri-containerd", rf"cri-containerd[-:]{_ID}(?:\.scope)?", runtime="containerd"),
    _row("nerdctl-", rf"nerdctl-{_ID}\.scope", runtime="containerd"),
    _row("", _ID, above=r"(?:^|/)k8s\.io$", runtime="containerd"),
    # Docker (daemon/oci_linux.go): docker-<id>.scope with the systemd driver, else /docker/<id>, <cgroup-parent>/<id>.
    _row("docker-", rf"docker-{_ID}\.scope", runtime="docker"),
    _row("docker:", rf".+\.slice:docker:{_ID}", runtime="docker"),
    _row("", rf"{_ID}", above=r"(?:^|/)docker$", runtime="docker"),
    # balenaEngine, a fork of Docker.
    _row("balena-", rf"balena-{_ID}\.scope", runtime="balena"),
    # BuildKit (executor/oci): builds below the daemon's cgroup.
    _row("", r"(?P<container_id>[0-9a-z]{12,64})", above=r"(?:^|/)buildkit$", runtime="buildkit"),
    # Podman (libpod/container_internal_linux.go, oci_conmon_linux.go): container, its conmon, the pod's slice.
    _row("libpod", rf"libpod-conmon-{_ID}(?:\.scope)?", runtime="podman"),
    _row("libpod", rf"libpod-{_ID}(?:\.scope)?", runtime="podman"),
    _row("libpod_pod", r"(?:.+-)?libpod_pod_(?P<pod_uid>[0-9a-f]{12,64})(?:\.slice)?", runtime="podman"),
    _row("podman", r"podman-(?:pause-)?[0-9a-f]+\.scope", runtime="podman"),
    # Buildah (run_linux.go).
    _row("buildah", r"buildah-(?P<container_name>[^/]+?)(?:\.scope)?", runtime="buildah"),
    # Bare OCI runtimes started by hand (libcontainer/cgroups/systemd; crun src/libcrun/cgroup-systemd.c).
    _row("run", rf"(?P<runtime>runc|crun)-{_ID}\.scope"),
    _row("run", r"(?P<runtime>runc|crun)-(?P<container_name>.+)\.scope"),
    # Apptainer (internal/pkg/cgroups): the number is the pid.
    _row("apptainer-", r"apptainer-[0-9]+\.scope", runtime="apptainer"),
    # LXC (src/lxc/cgroups/cgfsng.c): lxc.payload.NAME from 4.0, lxc.payload/NAME in 3.1, lxc/NAME before;
    # Proxmox VE (PVE/LXC.pm): /lxc/<vmid>/ns; the monitor is beside the container.
    _row("lxc.", r"lxc\.(?:payload|monitor)\.(?P<container_name>.+)", runtime="lxc"),
    _row("", r"(?P<container_name>[^/]+)", above=r"(?:^|/)(?:lxc|lxc\.payload|lxc\.monitor)$", runtime="lxc"),
    # Proxmox VE virtual machines (PVE/QemuServer.pm): /qemu.slice/<vmid>.scope.
    _row(".scope", r"(?P<container_name>[0-9]+)\.scope", above=r"(?:^|/)qemu\.slice$", runtime="qemu"),
    # libvirt (src/util/virsystemd.c): machine-<driver>-<domain id>-<name>.scope;
    # without systemd <driver>-<id>-<name>.libvirt-<driver>.
    _row(
        "machine-",
        rf"machine-(?P<runtime>qemu|lxc){_SEP}[0-9]+{_SEP}(?P<container_name>.+)\.scope",
        manager="libvirt",
    ),
    _row("libvirt-", r"(?:qemu-[0-9]+-)?(?P<container_name>.+)\.libvirt-(?P<runtime>qemu|lxc)", manager="libvirt"),
    # systemd-nspawn(1) and machines registered with systemd-machined(8).
    _row("nspawn@", r"systemd-nspawn@(?P<container_name>.+)\.service", runtime="systemd-nspawn"),
    _row("machine-", r"machine-(?P<container_name>.+)\.scope", runtime="systemd-nspawn"),
    # Slurm: cgroup/v1 /slurm[_NODE]/uid_U/job_J/step_S/task_T, v2 [NODE_]slurmstepd.scope/job_J/step_S/user/task_T
    # (slurm.schedmd.com/cgroup_v2.html).
    _row("uid_", r"uid_(?P<user_uid>[0-9]+)", above=r"(?:^|/)slurm(?:_[^/]+)?$", manager="slurm"),
    _row(
        "job_", r"job_(?P<job>[0-9]+)", above=r"(?:^|/)slurm(?:_[^/]+)?/uid_[0-9]+$|slurmstepd\.scope$", manager="slurm"
    ),
    _row("step_", r"step_(?P<step>[0-9a-z_]+)", above=r"(?:uid_[0-9]+|slurmstepd\.scope)/job_[0-9]+$", manager="slurm"),
    _row("slurm", r"slurm(?:_.+)?|(?:.+_)?slurmstepd\.scope", manager="slurm"),
    # Nomad (client/lib/cgroupslib; before 1.7 cgutil): <alloc>.<task>.scope in nomad.slice or /nomad.
    _row(
        ".scope",
        rf"(?P<job>{_UUID})[.-](?P<container_name>.+)\.scope",
        above=r"(?:^|/)nomad(?:\.slice)?(?:/[a-z]+(?:\.slice)?)?$",
        manager="nomad",
    ),
    _row("-", rf"(?P<job>{_UUID})", above=r"(?:^|/)nomad(?:\.slice)?(?:/[a-z]+(?:\.slice)?)?$", manager="nomad"),
    _row("nomad", r"nomad(?:\.slice)?", manager="nomad"),
    # Amazon ECS agent on EC2, which runs Docker (agent/taskresource/cgroup; pull request 3127 for cgroup v2).
    _row("ecstasks-", r"ecstasks-(?P<job>[0-9a-f-]+)\.slice", manager="ecs"),
    _row("", _ID, above=r"(?:^|/)ecs/[0-9a-f-]{32,36}$", runtime="docker"),
    _row("", r"(?P<job>[0-9a-f-]{32,36})", above=r"(?:^|/)ecs$", manager="ecs"),
    _row("ecs", r"ecs|ecstasks\.slice", manager="ecs"),
    # snapd (sandbox/cgroup/tracking.go): snap.NAME.APP[-.]<uuid>.scope, services snap.NAME.APP.service.
    _row("snap.", rf"snap\.(?P<app>.+?)[.-]{_UUID}\.scope", manager="snap"),
    _row("snap.", r"snap\.(?P<app>.+)\.(?:service|scope)", manager="snap"),
    # Flatpak (common/flatpak-run.c): app-flatpak-<id>-<number>.scope, before the desktop convention without app-.
    _row("flatpak-", rf"(?:app-)?flatpak-(?P<app>.+?)(?:-{_RANDOM})?\.scope", manager="flatpak"),
    # Desktop convention (systemd.io/DESKTOP_ENVIRONMENTS): app[-<launcher>]-<id>,
    # then -<random>.scope, [@<random>].service or .slice.
    # The id has its "-" escaped, so the first plain "-" ends the launcher.
    _row("app-", rf"app-(?:[^-]+-)?(?P<app>[^-@]+)-{_RANDOM}\.scope", above=_DESKTOP),
    _row("app-", r"app-(?:[^-]+-)?(?P<app>[^-@]+)(?:@.*)?\.service", above=_DESKTOP),
    _row("app-", r"app-(?:[^-]+-)?(?P<app>[^-@]+)\.slice", above=_DESKTOP),
    # GNOME's D-Bus activated programs: dbus-:1.2-org.gnome.X@0.service.
    _row("dbus-", r"dbus-:[0-9.]+-(?P<app>[^@]+)@.*\.service"),
    # logind (man 8 pam_systemd, user@.service(5)).
    _row("session-", r"session-(?P<session>[0-9A-Za-z]+)\.scope"),
    _row("user-", r"user-(?P<user_uid>[0-9]+)\.slice"),
    _row("user", r"user(?:-runtime-dir)?@(?P<user_uid>[0-9]+)\.service"),
    # A container below a cgroup-parent of its own name: docker, dockershim and containerd all use the bare id.
    _row("", r"(?P<container_id>[0-9a-f]{64})"),
)
