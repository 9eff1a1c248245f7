"""Which file systems can hold a swap file. Sources: swapon(8), mm/swapfile.c, `swap_activate` of each file system."""

from __future__ import annotations

from typing import Literal, NamedTuple

from oomlens.i18n import message

Verdict = Literal["yes", "try", "no"]


class Holder(NamedTuple):
    """verdict: "try" where only the kernel's answer tells. why, instead: sentences for people, of a refusal."""

    verdict: Verdict
    why: str = ""
    instead: str = ""


_ZRAM = message("Use compressed RAM: oomlens plan swap --zram; or a file on a local disk: --path.")
_IN_RAM = Holder(
    "no", message("{path} is on {file_system}, which is in RAM itself: swap there would free nothing."), _ZRAM
)
_LAYER = Holder(
    "no",
    message("{path} is on {file_system}, a container's layer or a live system: the kernel accepts no swap file there."),
    message(
        "Swap belongs to the host: add it there, and allow it to the container (docker run --memory-swap, memory.swap.max)."
    ),
)
_NETWORK = Holder(
    "no",
    message(
        "{path} is on {file_system}, behind a network or another process, which needs memory itself to write a page out."
    ),
    _ZRAM,
)
_ZFS = Holder(
    "no",
    message("{path} is on {file_system}, which accepts no swap file, and swap on a zvol can deadlock."),
    _ZRAM,
)
_READ_ONLY = Holder("no", message("{path} is on {file_system}, which cannot be written."), _ZRAM)
_UNFIT = Holder("no", message("{path} is on {file_system}, where the kernel accepts no swap file."), _ZRAM)

_YES = Holder("yes")
_HOLDERS = {
    **dict.fromkeys(("btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs"), _YES),
    **dict.fromkeys(("devtmpfs", "hugetlbfs", "ramfs", "rootfs", "tmpfs"), _IN_RAM),
    **dict.fromkeys(("aufs", "overlay", "overlayfs", "unionfs"), _LAYER),
    **dict.fromkeys(
        (
            "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "fuseblk", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
            "ocfs2", "orangefs", "smb3", "smbfs", "vboxsf", "virtiofs",
        ),
        _NETWORK,
    ),
    "zfs": _ZFS,
    **dict.fromkeys(("cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"), _READ_ONLY),
    **dict.fromkeys(("bcachefs", "nilfs2", "ubifs", "jffs2"), _UNFIT),
}  # fmt: skip


def holder_of(file_system: str, source: str) -> Holder:
    """What is known of a file system type; an unknown one is tried where its source is a local block device.

    source: the device or server that is mounted, as /proc/self/mountinfo shows it.
    """
    known = _HOLDERS.get(file_system)
    if known is not None:
        return known
    if file_system.startswith("fuse.") or not source.startswith("/dev/"):
        return _NETWORK if ":" in source or file_system.startswith("fuse.") or source.startswith("//") else _UNFIT
    return Holder("try")
