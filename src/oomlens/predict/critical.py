"""Processes whose death hurts more than their own work: known by name, unit or place."""

from __future__ import annotations

from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import Process

_COMM_BYTES = 15
# Names as programs have them; the kernel keeps the first 15 bytes.
ROLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("container-runtime", (
        "conmon", "containerd", "containerd-shim", "crio", "docker", "dockerd", "k3s-agent", "k3s-server", "kubelet", "podman", "runc",
    )),
    ("control-plane", ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")),
    ("database", (
        "asd", "beam.smp", "clickhouse-server", "cockroach", "db2sysc", "influxd", "mariadbd", "memcached", "mongod", "mongos",
        "mysqld", "ns-slapd", "ora_pmon", "oracle", "postgres", "postmaster", "redis-server", "slapd", "sqlservr", "tikv-server",
        "valkey-server",
    )),
    ("desktop", ("Xorg", "Xwayland", "gnome-session-binary", "gnome-shell", "kwin_wayland", "kwin_x11", "plasmashell", "sway")),
    ("hypervisor", ("cloud-hypervisor", "firecracker", "libvirtd", "qemu-kvm", "qemu-system-aarch64", "qemu-system-x86_64", "virtqemud")),
    ("message-bus", ("dbus-broker", "dbus-broker-launch", "dbus-daemon")),
    ("network", ("NetworkManager", "dhclient", "dhcpcd", "systemd-networkd", "systemd-resolved", "wpa_supplicant")),
    ("remote-access", ("dropbear", "sshd", "sshd-auth", "sshd-session")),
    ("service-manager", ("init", "runsvdir", "s6-svscan", "supervisord", "systemd", "systemd-journald", "systemd-logind", "systemd-udevd")),
    ("storage", ("ceph-mon", "ceph-osd", "glusterfsd", "iscsid", "multipathd", "ntfs-3g", "zed")),
)  # fmt: skip
# They watch memory themselves and kill by rules of their own, mostly before the kernel has to.
OTHER_KILLERS = frozenset(name[:_COMM_BYTES] for name in ("earlyoom", "nohang", "oomd", "systemd-oomd"))
_ROLE_OF = {name[:_COMM_BYTES]: role for role, names in ROLES for name in names}


def role_of(process: Process) -> str | None:
    """What the process is for the machine, by its name; None where its death is its own affair."""
    if process.namespace_pid == 1 and process.pid != 1:
        return "container-init"
    return _ROLE_OF.get(process.comm)


def service_of(names: CgroupNames | None) -> str | None:
    """The system service that it belongs to, outside of containers; systemd stops it whole by default (OOMPolicy=)."""
    if names is None or names.container_id is not None or names.user_uid is not None:
        return None
    unit = names.unit
    return unit if unit is not None and unit.endswith(".service") and names.slice != "user.slice" else None
