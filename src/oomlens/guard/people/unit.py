"""The guard's systemd unit: what it may do is what it needs to act. Pure text; see systemd.exec(5), systemd.service(5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.host.service_units import Program, Unit, start_fields, word

UNIT = Unit("oomlens-guard.service", "# Written by: oomlens guard install")

_UNIT = """\
{mark}
# Taken back by: oomlens guard uninstall
{made}[Unit]
Description=Guard against running out of memory (oomlens)
Documentation=man:systemd.exec(5)
# Two guards shoot twice.
Conflicts=systemd-oomd.service earlyoom.service nohang.service nohang-desktop.service

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# sh's own kill: the program is not everywhere.
ExecReload=/bin/sh -c "kill -HUP $MAINPID"
# What it froze or throttled is lifted, also when it was killed.
ExecStopPost=-{restore}
{environment}Restart=always
RestartSec=1
WatchdogSec=30
OOMScoreAdjust=-900
OOMPolicy=continue
Nice=-20
CPUWeight=10000
IOWeight=10000
MemoryMin=24M
MemorySwapMax=0
# It locks its pages, about 10 MB: a program that has to be read from the disk again cannot act on a machine that thrashes.
LimitMEMLOCK=infinity
TasksMax=32
LimitCORE=0
{bounding}NoNewPrivileges=yes
ProtectSystem=strict
RuntimeDirectory=oomlens/guard
RuntimeDirectoryPreserve=yes
LogsDirectory=oomlens
LogsDirectoryMode=0750
ProtectHome={home}
PrivateTmp={tmp}
{network}DevicePolicy=closed
DeviceAllow=/dev/kmsg rw
# It writes cgroup files and other processes' scores are its matter: /proc and /sys/fs/cgroup stay as they are.
ProtectKernelModules=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service @memlock process_mrelease pidfd_open pidfd_send_signal capset
SystemCallFilter=~@mount @swap @reboot @debug @module @raw-io @cpu-emulation @obsolete
SystemCallErrorNumber=EPERM
UMask=0027

[Install]
WantedBy=multi-user.target
"""
_CAPABILITIES = ("CAP_KILL", "CAP_SYS_RESOURCE", "CAP_SYS_PTRACE", "CAP_IPC_LOCK", "CAP_SYS_NICE", "CAP_DAC_OVERRIDE")


class Needs(NamedTuple):
    """What the configuration asks for beyond watching and ending. people: programs that become another user (desktop). network: a webhook.

    programs: hooks and notification programs of the administrator's, which may need anything: they are not narrowed.
    """

    people: bool = False
    network: bool = False
    programs: bool = False


def unit_text(program: Program, restore: Sequence[str], *, made: Sequence[str] = (), needs: Needs = Needs()) -> str:  # noqa: B008
    """The unit. restore: the command that lifts what was left. made: folders that the installation makes.

    Raises UnitError where a path holds what a unit file cannot.
    """
    capabilities = [*_CAPABILITIES, *(("CAP_SETUID", "CAP_SETGID") if needs.people or needs.programs else ())]
    network = (
        ""
        if needs.network or needs.programs or needs.people
        else "IPAddressDeny=any\nRestrictAddressFamilies=AF_UNIX\n"
    )
    fields = start_fields(program)
    if needs.people:
        fields["home"] = "no"  # the session's bus lies in /run/user
    return _UNIT.format(
        mark=UNIT.mark,
        made=UNIT.made_note(made),
        restore=" ".join(word(part) for part in restore),
        bounding=f"CapabilityBoundingSet={' '.join(capabilities)}\n",
        network=network,
        **fields,
    )
