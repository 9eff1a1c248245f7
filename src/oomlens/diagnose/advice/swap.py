"""Swap: somewhere to put memory that nobody uses."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context, suffixed
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _add_swap(c: Context) -> tuple[str, ...]:
    return (
        "swapon --show",
        f"sudo fallocate -l {suffixed(c.swap_bytes)} /swapfile",
        note("where swapon refuses that file (holes): write it"),
        f"sudo dd if=/dev/zero of=/swapfile bs=1M count={(c.swap_bytes or 0) >> 20 or '<MIB>'}",
        "sudo chmod 600 /swapfile",
        "sudo mkswap /swapfile",
        "sudo swapon /swapfile",
        note("keep it over a reboot (once only)"),
        "grep -q '^/swapfile ' /etc/fstab || echo '/swapfile none swap sw 0 0' | sudo tee -a /etc/fstab",
        note("back"),
        "sudo swapoff /swapfile && sudo rm /swapfile",
    )


def _enlarge_swap(c: Context) -> tuple[str, ...]:
    return (
        "swapon --show",
        f"sudo fallocate -l {suffixed(c.swap_bytes)} /swapfile2 && sudo chmod 600 /swapfile2",
        "sudo mkswap /swapfile2 && sudo swapon /swapfile2",
        "grep -q '^/swapfile2 ' /etc/fstab || echo '/swapfile2 none swap sw 0 0' | sudo tee -a /etc/fstab",
    )


def _set_swappiness(_c: Context) -> tuple[str, ...]:
    return (
        "sysctl vm.swappiness",
        "sudo sysctl vm.swappiness=10",
        "echo 'vm.swappiness=10' | sudo tee /etc/sysctl.d/99-custom.conf   # a file that sorts later wins",
    )


def _add_zram(c: Context) -> tuple[str, ...]:
    return (
        "sudo modprobe zram",
        f"sudo zramctl --find --size {suffixed(c.swap_bytes)} --algorithm zstd",
        "sudo mkswap /dev/zram0 && sudo swapon -p 100 /dev/zram0",
        note("kept over a reboot: package systemd-zram-generator"),
        "printf '[zram0]\\nzram-size = min(ram / 2, 4096)\\n' | sudo tee /etc/systemd/zram-generator.conf",
    )


def _add_ram(_c: Context) -> tuple[str, ...]:
    return (
        "free -h",
        "lsmem --summary",
    )


REMEDIES = (
    Remedy(
        "add-swap",
        message("Add swap"),
        message(
            "Room for memory that is not in use, and time to react. On btrfs set +C on the empty file first;"
            " on tmpfs, overlay, ZFS and NFS there can be no swap file."
        ),
        "safe",
        _add_swap,
    ),
    Remedy(
        "enlarge-swap",
        message("Enlarge swap"),
        message("A second file beside the first; it need not be large if the cause is a leak."),
        "safe",
        _enlarge_swap,
    ),
    Remedy(
        "set-swappiness",
        message("Set how readily the kernel swaps"),
        message("10 suits disks, 100 to 180 suits zram. 0 brings kills back while swap is still free."),
        "safe",
        _set_swappiness,
    ),
    Remedy(
        "add-zram",
        message("Compress memory with zram"),
        message("Swap in RAM, compressed two to three times; no disk is needed."),
        "safe",
        _add_zram,
    ),
    Remedy(
        "add-ram",
        message("Give the machine more memory"),
        message("Where the load is what it is meant to be."),
        "manual",
        _add_ram,
    ),
)
