"""The systemd unit of the recorder: as little of the machine as it needs. Pure text; see systemd.exec(5), systemd.resource-control(5)."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.host.service_units import Program, is_below, word

NAME = "oomlens-record.service"
PATH = f"/etc/systemd/system/{NAME}"
WANTS = "/etc/systemd/system/multi-user.target.wants"
LINK = f"{WANTS}/{NAME}"
# In the unit, so that what was made is known when it is taken back.
MARK = "# Written by: oomlens record --install"
_MADE = "# Folders made for it: "
DEFAULT_FOLDER = "/var/lib/oomlens/history"

_UNIT = """\
{mark}
# Taken back by: oomlens record --uninstall
{made}[Unit]
Description=Flight recorder for out-of-memory kills (oomlens)
Documentation=man:systemd.exec(5)
RequiresMountsFor={folder}

[Service]
Type=exec
ExecStart={command}
{environment}Restart=on-failure
RestartSec=30
# It is the last to be missed and among the last to be killed, but never before a program that people need.
OOMScoreAdjust=-500
OOMPolicy=continue
Nice=5
IOSchedulingClass=idle
CPUWeight=20
CPUQuota=25%
MemoryMax=96M
# It locks its pages, about 30 MB: a program that has to be read from the disk again cannot watch a machine that thrashes.
LimitMEMLOCK=infinity
MemorySwapMax=0
TasksMax=8
LimitCORE=0
# All it may do beyond an ordinary program: read the kernel's log, and see processes on a machine with hidepid.
CapabilityBoundingSet=CAP_SYSLOG CAP_SYS_PTRACE{capability}
NoNewPrivileges=yes
ProtectSystem=strict
{places}ProtectHome={home}
PrivateTmp={tmp}
PrivateMounts=yes
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=none
DevicePolicy=closed
DeviceAllow=/dev/kmsg r
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @mount @swap @reboot @debug
SystemCallErrorNumber=EPERM
UMask=0027

[Install]
WantedBy=multi-user.target
"""


def unit_text(
    program: Program, *, folder: str = DEFAULT_FOLDER, made: Sequence[str] = (), writable: Sequence[str] = ()
) -> str:
    """The unit. folder: of the history. made: folders that the installation makes. writable: further folders to write in.

    Raises UnitError where a path holds what a unit file cannot.
    """
    homes = any(is_below(place, ("/home", "/root", "/run/user")) for place in (*program.places, folder, *writable))
    temporary = any(is_below(place, ("/tmp", "/var/tmp")) for place in (*program.places, folder, *writable))  # noqa: S108
    if folder.startswith("/var/lib/"):
        places = f"StateDirectory={word(folder.removeprefix('/var/lib/'))}\nStateDirectoryMode=0750\n"
    else:
        places = f"ReadWritePaths={word(folder)}\n"
    places += "".join(f"ReadWritePaths={word(each)}\n" for each in writable)
    return _UNIT.format(
        mark=MARK,
        made=f"{_MADE}{' '.join(made)}\n" if made else "",
        folder=word(folder),
        command=" ".join(word(part) for part in program.command),
        environment="".join(f"Environment={word(f'{name}={value}')}\n" for name, value in program.environment.items()),
        places=places,
        # The textfile collector's folder belongs to somebody else.
        capability=" CAP_DAC_OVERRIDE" if writable else "",
        home="read-only" if homes else "yes",
        tmp="no" if temporary else "yes",
    )


def is_ours(content: bytes) -> bool:
    """Whether a unit file was written by `oomlens record --install`."""
    return content.decode("utf-8", "replace").startswith(MARK)


def made_folders(content: bytes) -> list[str]:
    """The folders that were made for a unit, by its own note."""
    for line in content.decode("utf-8", "replace").splitlines():
        if line.startswith(_MADE):
            return line.removeprefix(_MADE).split(" ")
    return []
