"""Who is never ended. By the program's file: a name can be faked by anybody, a file in a system folder by root alone."""

from __future__ import annotations

from collections.abc import Sequence

Rules = list[dict[str, object]]

# Where packages put programs. On merged systems /bin and /lib are links below /usr, and the kernel tells the target.
_FOLDERS = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/lib", "/lib", "/usr/libexec")


def spared(why: str, programs: Sequence[str], folders: Sequence[str] = _FOLDERS) -> Rules:
    """One rule for each program and folder."""
    return [{"exe": f"{folder}/{name}", "why": why, "never": True} for name in programs for folder in folders]


# Without these nobody can log in, nothing can be restarted and nothing is written down.
EVERYWHERE: Rules = [
    *spared(
        "sshd: the way in", ("sshd", "openssh/sshd*"), ("/usr/sbin", "/usr/bin", "/sbin", "/usr/lib", "/usr/libexec")
    ),
    *spared(
        "the message bus: services and sessions end with it",
        ("dbus-daemon", "dbus-broker", "dbus-broker-launch"),
        ("/usr/bin", "/bin"),
    ),
    # systemd's own: the manager (also of users), logind, journald, udevd (on newer ones udevadm is the daemon's file).
    *spared(
        "systemd",
        (
            "systemd/systemd",
            "systemd/systemd-logind",
            "systemd/systemd-journald",
            "systemd/systemd-udevd",
            "systemd/systemd-executor",
        ),
        ("/usr/lib", "/lib"),
    ),
    *spared("systemd-udevd", ("udevadm",), ("/usr/bin", "/bin")),
    # Other init systems; PID 1 itself is spared by the loop.
    *spared(
        "init", ("init", "openrc-init", "runit", "runsvdir", "s6-svscan"), ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
    ),
]

# A session ends with its display server or shell, and with it all unsaved work.
DESKTOP: Rules = [
    *spared(
        "the display server", ("Xorg", "Xwayland", "Xorg.wrap", "xorg/Xorg"), ("/usr/bin", "/usr/lib", "/usr/libexec")
    ),
    *spared(
        "the desktop's shell",
        (
            "gnome-shell",
            "kwin_wayland",
            "kwin_x11",
            "plasmashell",
            "ksmserver",
            "sway",
            "Hyprland",
            "labwc",
            "wayfire",
            "weston",
            "xfce4-session",
            "xfwm4",
            "cinnamon",
            "mutter",
            "marco",
            "mate-session",
            "lxqt-session",
            "openbox",
            "i3",
            "cosmic-comp",
            "cosmic-session",
            "niri",
        ),
        ("/usr/bin",),
    ),
    *spared(
        "the session",
        (
            "gnome-session-binary",
            "gnome-session-ctl",
            "gdm-session-worker",
            "gdm-wayland-session",
            "gdm-x-session",
            "sddm-helper",
            "startplasma-wayland",
        ),
        ("/usr/libexec", "/usr/lib", "/usr/bin"),
    ),
    *spared("the login screen", ("gdm", "gdm3", "sddm", "lightdm"), ("/usr/bin", "/usr/sbin")),
    *spared("sound: small, and missed at once", ("pipewire", "wireplumber"), ("/usr/bin",)),
]

# A container outlives its engine only where its shim lives; a node without its kubelet loses all its pods.
_HOST_FOLDERS = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/libexec/podman",
    "/usr/lib/podman",
    "/usr/libexec/crio",
)
CONTAINERS: Rules = spared(
    "the container engine",
    ("dockerd", "containerd", "containerd-shim*", "crio", "conmon", "conmonrs", "runc", "crun", "kubelet"),
    _HOST_FOLDERS,
)
