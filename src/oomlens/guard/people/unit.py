"""The guard's systemd unit: what it may do is what it needs to act. Pure text; see systemd.exec(5), systemd.service(5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomlens.host.service_units import Program, is_below, word

NAME = "oomlens-guard.service"
PATH = f"/etc/systemd/system/{NAME}"
WANTS = "/etc/systemd/system/multi-user.target.wants"
LINK = f"{WANTS}/{NAME}"
# In the unit, so that what was made is known when it is taken back.
MARK = "# Written by: oomlens guard install"
_MADE = "# Folders made for it: "

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
    homes = any(is_below(place, ("/home", "/root", "/run/user")) for place in program.places)
    temporary = any(is_below(place, ("/tmp", "/var/tmp")) for place in program.places)  # noqa: S108
    capabilities = [*_CAPABILITIES, *(("CAP_SETUID", "CAP_SETGID") if needs.people or needs.programs else ())]
    network = (
        ""
        if needs.network or needs.programs or needs.people
        else "IPAddressDeny=any\nRestrictAddressFamilies=AF_UNIX\n"
    )
    return _UNIT.format(
        mark=MARK,
        made=f"{_MADE}{' '.join(made)}\n" if made else "",
        command=" ".join(word(part) for part in program.command),
        restore=" ".join(word(part) for part in restore),
        environment="".join(f"Environment={word(f'{name}={value}')}\n" for name, value in program.environment.items()),
        bounding=f"CapabilityBoundingSet={' '.join(capabilities)}\n",
        network=network,
        home="no" if needs.people else "read-only" if homes else "yes",
        tmp="no" if temporary else "yes",
    )


def is_ours(content: bytes) -> bool:
    """Whether a unit file was written by `oomlens guard install`."""
    return content.decode("utf-8", "replace").startswith(MARK)


def made_folders(content: bytes) -> list[str]:
    """The folders that were made for a unit, by its own note."""
    for line in content.decode("utf-8", "replace").splitlines():
        if line.startswith(_MADE):
            return line.removeprefix(_MADE).split(" ")
    return []
