"""Kernel memory, zones and reserves."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _compact_memory(_c: Context) -> tuple[str, ...]:
    return (
        "cat /proc/buddyinfo",
        "echo 1 | sudo tee /proc/sys/vm/compact_memory",
        "sudo sysctl vm.compaction_proactiveness=40",
    )


def _raise_min_free(_c: Context) -> tuple[str, ...]:
    return (
        "sysctl vm.min_free_kbytes vm.watermark_scale_factor",
        "sudo sysctl vm.watermark_scale_factor=100",
    )


def _drop_caches(_c: Context) -> tuple[str, ...]:
    return (
        "sync; echo 3 | sudo tee /proc/sys/vm/drop_caches",
        "grep -E 'SReclaimable|SUnreclaim|^Cached' /proc/meminfo",
    )


def _reserve_for_system(_c: Context) -> tuple[str, ...]:
    return ("sudo systemctl set-property system.slice MemoryLow=512M",)


def _clean_tmpfs(_c: Context) -> tuple[str, ...]:
    return (
        "df -h -t tmpfs -t ramfs",
        "sudo du -xsh /dev/shm /tmp /run/* 2>/dev/null | sort -h | tail",
        "sudo ls -lS /dev/shm | head",
    )


def _limit_tmpfs(_c: Context) -> tuple[str, ...]:
    return (
        "sudo mount -o remount,size=256M /dev/shm",
        "docker run --shm-size 256m …",
        "# Kubernetes: emptyDir: {medium: Memory, sizeLimit: 256Mi}",
    )


def _remove_ipc(_c: Context) -> tuple[str, ...]:
    return (
        "ipcs -m -p",
        note("where nattch is 0"),
        "sudo ipcrm -m <SHMID>",
    )


def _release_hugepages(_c: Context) -> tuple[str, ...]:
    return (
        "grep -i huge /proc/meminfo",
        "sudo sysctl vm.nr_hugepages=<COUNT>",
        "grep -rs nr_hugepages /etc/sysctl.conf /etc/sysctl.d; grep -o 'hugepages=[0-9]*' /proc/cmdline",
    )


def _use_huge_pages(_c: Context) -> tuple[str, ...]:
    return (
        "cat /sys/kernel/mm/transparent_hugepage/enabled",
        note("PostgreSQL: huge_pages = on; Oracle: use_large_pages"),
    )


def _limit_zfs_arc(_c: Context) -> tuple[str, ...]:
    return (
        "awk '/^(size|c_max)/ {print $1, $3}' /proc/spl/kstat/zfs/arcstats",
        "echo $((1 << 30)) | sudo tee /sys/module/zfs/parameters/zfs_arc_max",
    )


def _use_64_bit_kernel(_c: Context) -> tuple[str, ...]:
    return ("uname -m; grep -E 'LowTotal|LowFree|HighFree' /proc/meminfo",)


REMEDIES = (
    Remedy(
        "compact-memory",
        message("Make larger blocks"),
        message("Compaction moves pages together; it needs free memory to work in."),
        "safe",
        _compact_memory,
    ),
    Remedy(
        "raise-min-free",
        message("Keep more memory free"),
        message("So that reclaim and compaction start earlier: about 1 % of RAM, never more than 5 %."),
        "safe",
        _raise_min_free,
    ),
    Remedy(
        "drop-caches",
        message("Drop caches once"),
        message("Only to see what is cache and what is not; the kernel drops caches itself."),
        "safe",
        _drop_caches,
    ),
    Remedy(
        "reserve-for-system",
        message("Keep memory for the system"),
        message("Give the services below a limit, so that kernel and system always have some."),
        "safe",
        _reserve_for_system,
    ),
    Remedy(
        "clean-tmpfs",
        message("Remove files from tmpfs"),
        message("Files in /dev/shm, /tmp, /run and in emptyDir volumes of medium Memory are memory."),
        "manual",
        _clean_tmpfs,
    ),
    Remedy(
        "limit-tmpfs",
        message("Limit the size of tmpfs"),
        message("The default is half of the RAM for each mount."),
        "safe",
        _limit_tmpfs,
    ),
    Remedy(
        "remove-ipc",
        message("Remove shared memory that nobody uses"),
        message("System V segments stay when their programs end."),
        "manual",
        _remove_ipc,
    ),
    Remedy(
        "release-hugepages",
        message("Give huge pages back"),
        message("Unused ones return at once; keep what the database needs."),
        "safe",
        _release_hugepages,
    ),
    Remedy(
        "use-huge-pages",
        message("Map large memory with huge pages"),
        message("One huge page needs one entry instead of 512: page tables shrink accordingly."),
        "manual",
        _use_huge_pages,
    ),
    Remedy(
        "limit-zfs-arc",
        message("Limit the ZFS cache"),
        message("ARC gives memory back slowly."),
        "safe",
        _limit_zfs_arc,
    ),
    Remedy(
        "use-64-bit-kernel",
        message("Use a 64-bit kernel"),
        message("A 32-bit kernel keeps its own data in the lowest 896 MiB, whatever is above."),
        "manual",
        _use_64_bit_kernel,
    ),
)
