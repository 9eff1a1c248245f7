"""The systemd unit of the recorder: as little of the machine as it needs. Pure text; see systemd.exec(5), systemd.resource-control(5)."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.host.service_units import Program, Unit, start_fields, word

UNIT = Unit("oomlens-record.service", "# Written by: oomlens record --install")
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
    if folder.startswith("/var/lib/"):
        places = f"StateDirectory={word(folder.removeprefix('/var/lib/'))}\nStateDirectoryMode=0750\n"
    else:
        places = f"ReadWritePaths={word(folder)}\n"
    places += "".join(f"ReadWritePaths={word(each)}\n" for each in writable)
    return _UNIT.format(
        mark=UNIT.mark,
        made=UNIT.made_note(made),
        folder=word(folder),
        places=places,
        # The textfile collector's folder belongs to somebody else.
        capability=" CAP_DAC_OVERRIDE" if writable else "",
        **start_fields(program, (folder, *writable)),
    )
