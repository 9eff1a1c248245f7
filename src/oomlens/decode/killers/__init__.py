"""The killers in user space and those who tell of a kill; one file each, listed in the order in which they are asked."""

from __future__ import annotations

from oomlens.decode.killer import Killer
from oomlens.decode.killers import (
    containers,
    earlyoom,
    jvm,
    kubelet,
    lmkd,
    nohang,
    oomd,
    oomlens,
    runtimes,
    systemd,
    systemd_oomd,
)

KILLERS: tuple[Killer, ...] = (
    containers.KILLER,
    earlyoom.KILLER,
    jvm.KILLER,
    kubelet.KILLER,
    lmkd.KILLER,
    nohang.KILLER,
    oomd.KILLER,
    oomlens.KILLER,
    runtimes.KILLER,
    systemd.KILLER,
    systemd_oomd.KILLER,
)
